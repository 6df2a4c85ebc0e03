/** A person's line to the gateway: a WebSocket that stays, and comes back when it was lost. */

const ADDRESS = new URL("../v1/people/line", import.meta.url);
ADDRESS.protocol = ADDRESS.protocol.replace("http", "ws");

const SIGN_IN_AGAIN = 4401;
const TOO_MANY = 4429;

/** The gateway says something every 5 s; when it is silent for longer, the connection is dead. */
const SILENCE_MS = 14_000;

const RETRY_MS = [250, 500, 1000, 2000, 4000];

/**
 * Dispatches `told` with `detail` = a message of the gateway; `connected` and `lost`; and once, at the end,
 * `over` with `detail` = why, as a sentence.
 */
export class Line extends EventTarget {
  /** Names this connection when a call is answered; empty while there is none. */
  id = "";
  /** The ring that was answered here, so that its call is found again. */
  answered = "";

  #token;
  #socket = null;
  #ready = false;
  #closed = false;
  #failures = 0;
  #timer = 0;

  constructor(token) {
    super();
    this.#token = token;
    this.#connect();
  }

  set ready(ready) {
    if (ready === this.#ready) return;
    this.#ready = ready;
    if (this.id) this.#sayReady();
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #connect() {
    const socket = new WebSocket(ADDRESS);
    this.#socket = socket;
    this.#watch();
    socket.addEventListener("open", () => {
      // The token goes into the first message: addresses end up in logs.
      socket.send(JSON.stringify({ type: "sign_in", token: this.#token, resume: this.answered }));
    });
    socket.addEventListener("message", (event) => {
      if (this.#socket === socket && !this.#closed) this.#told(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (this.#socket === socket && !this.#closed) this.#lost(event.code);
    });
  }

  #told(message) {
    this.#watch();
    if (message.type === "alive") return;
    if (message.type === "signed_in") {
      this.#failures = 0;
      this.id = message.line_id;
      this.#sayReady();
      this.dispatchEvent(new CustomEvent("connected", { detail: message }));
      return;
    }
    this.dispatchEvent(new CustomEvent("told", { detail: message }));
  }

  #sayReady() {
    this.send({ type: this.#ready ? "ready" : "away" });
  }

  #watch() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(0), SILENCE_MS);
  }

  #lost(code) {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.id = "";
    socket?.close();
    if (code === SIGN_IN_AGAIN) return this.#end("Your sign-in has ended.");
    if (code === TOO_MANY) return this.#end("You have too many pages open, or this one spoke too much.");
    this.dispatchEvent(new Event("lost"));
    const pause = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#connect(), pause);
  }

  #end(why) {
    this.#closed = true;
    this.dispatchEvent(new CustomEvent("over", { detail: why }));
  }
}
