"""The simulated agents: console sign-in, a nailed-up SIP phone, talk and wrap-up times by scenario."""
