// One WebSocket that comes back by itself, and says when what it told is stale.
const SILENCE_MS = 6000; // the server speaks every two seconds
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;

export function connect(path, onState, onLink) {
  let waitMs = FIRST_WAIT_MS;
  let silence = 0;

  function open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${path}`);
    const listen = () => {
      clearTimeout(silence);
      silence = setTimeout(() => socket.close(), SILENCE_MS);
    };
    listen();
    socket.onmessage = (message) => {
      waitMs = FIRST_WAIT_MS;
      listen();
      onState(JSON.parse(message.data));
      onLink("live");
    };
    socket.onclose = () => {
      clearTimeout(silence);
      onLink("stale");
      setTimeout(open, waitMs * (0.75 + Math.random() / 2));
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
    };
  }
  open();
}
