"""The newest state of every connect-rate window as CSV: python examples/read_windows.py host:port [topic prefix]."""

import sys
import uuid

from confluent_kafka import Consumer

from outdial_contracts.codec import decode
from outdial_contracts.events import ConnectRateWindow

bootstrap, prefix = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
group = f"read-windows-{uuid.uuid4()}"  # of its own: two readers of one group would see half each
options = {"auto.offset.reset": "earliest", "enable.auto.commit": False, "enable.partition.eof": True}
consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, **options})
consumer.subscribe([prefix + ConnectRateWindow.TOPIC])
newest: dict[str, ConnectRateWindow] = {}
ends: set[int | None] = set()
while not consumer.assignment() or len(ends) < len(consumer.assignment()):
    if (message := consumer.poll(1.0)) is None:
        continue
    if message.error():
        ends.add(message.partition())  # the end of a partition; a service would go on reading
        continue
    window = decode(message.value() or b"", ConnectRateWindow.TOPIC)
    assert isinstance(window, ConnectRateWindow)
    if window.window_id not in newest or newest[window.window_id].revision < window.revision:
        newest[window.window_id] = window  # a whole state: it replaces what was there, nothing is added up
consumer.close()
print("window_id,revision,attempts,human_answers,connects,conversations,provisional,connect_rate")
for w in sorted(newest.values(), key=lambda window: window.window_id):
    rate = f"{w.connects / w.attempts:.4f}" if w.attempts else ""
    counts = (w.attempts, w.human_answers, w.connects, w.conversations, w.provisional)
    print(w.window_id, w.revision, *counts, rate, sep=",")
