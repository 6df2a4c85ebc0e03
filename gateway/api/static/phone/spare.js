/**
 * A connection made ahead of the call: its offer is written, its sockets are open, its certificate is there.
 * A browser takes 10 to 20 ms for that, which are better spent before somebody waits.
 */

const CHANNEL = "oai-events";

/** The machine may have moved to another network since. */
const STALE_MS = 5 * 60_000;

let spare = null;

/** One side of a connection that can be offered. */
class Side {
  connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  channel = this.connection.createDataChannel(CHANNEL);
  #line = this.connection.addTransceiver("audio", { direction: "sendrecv" });
  /** Resolves when there is an offer. */
  ready = this.connection.setLocalDescription();
  #madeAt = Date.now();

  get sender() {
    return this.#line.sender;
  }

  get receiver() {
    return this.#line.receiver;
  }

  get fresh() {
    return this.connection.signalingState !== "closed" && Date.now() - this.#madeAt < STALE_MS;
  }
}

/** Have one ready. */
export function prepare() {
  if (spare?.fresh) return;
  discard();
  spare = new Side();
  spare.ready.catch((error) => console.warn("no connection could be prepared", error));
}

/** A side of one's own. */
export function take() {
  const taken = spare?.fresh ? spare : null;
  if (taken === null) discard();
  spare = null;
  return taken ?? new Side();
}

function discard() {
  spare?.connection.close();
  spare = null;
}

/** Its addresses may be those of a network that is gone. */
function renew() {
  if (spare === null) return;
  discard();
  prepare();
}

addEventListener("online", renew);
navigator.connection?.addEventListener("change", renew);
