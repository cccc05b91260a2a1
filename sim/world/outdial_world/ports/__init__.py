"""The gateway's ports in the world: carrier and callees, agents' phones, sound, clearances. No sockets, no real time.

One `Air` and one `Carrier` for a run; they live on when a gateway dies. For each boot of a gateway:

    media = WorldMedia(air, prompts={"prompts/safe_harbour.wav": 4.0})
    trunks = carrier.trunks(gateway="media-gateway-0", boot_id=boot_id)
    phones = WorldPhones(lambda incoming: start(on_phone_call(incoming, deps)))

and when it dies `trunks.die()`, `phones.die()`, `media.die()`: from then on nothing of it reaches anybody, and it
hears nothing. An agent has a `Handset(air, "blue.agent-1", on_leg)` that dials a gateway's `WorldPhones`. What these do
is held to the real adapters by the shared suites in sim/world/tests/ports.
"""
