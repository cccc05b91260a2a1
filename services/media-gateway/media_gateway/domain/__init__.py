"""Pure decisions of the gateway: admission, call states, endings, agent legs."""
