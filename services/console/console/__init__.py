"""Where people act: campaigns, agents, wrap-up"""
