/** One call: microphone, peer connection and the event channel, in OpenAI's Realtime WebRTC flow. */

import { Hush } from "./hush.js";
import { RefusedError, reason } from "./page.js";
import { take } from "./spare.js";

const CALLS = new URL("../v1/realtime/calls", import.meta.url);

const CONNECT_WITHIN_MS = 15_000;

const STOPPED = "gateway.playout.stopped";

/** Known ahead, for the question takes time; a browser that does not know counts as one that has to ask. */
let permission = null;
navigator.permissions
  ?.query({ name: "microphone" })
  .then((status) => (permission = status))
  .catch(() => {});

/**
 * Dispatches `answered` when `far` is there; `connected`, with the microphone open; `said` with `detail` = an event of the gateway; and
 * once, at the end, `ended` with `detail` = the reason as a sentence.
 */
export class Call extends EventTarget {
  /** Media streams, for levels; `far` exists once the gateway has answered. */
  own = null;
  far = null;

  #side = take();
  #connection = this.#side.connection;
  #channel = this.#side.channel;
  #hush = new Hush(this.#side.receiver);
  #key;
  #muted = false;
  #location = null;
  #over = false;
  #timer = 0;

  constructor(key = "") {
    super();
    this.#key = key;
    this.#connection.addEventListener("track", (event) => {
      if (this.#over) return;
      this.far = event.streams[0] ?? new MediaStream([event.track]);
      this.dispatchEvent(new Event("answered"));
    });
    this.#connection.addEventListener("connectionstatechange", () => this.#stateChanged());
    this.#channel.addEventListener("message", (event) => this.#told(event.data));
    this.#channel.addEventListener("close", () => this.#finish("The other side hung up."));
  }

  get connected() {
    return !this.#over && this.#connection.connectionState === "connected";
  }

  /**
   * Call `{ agent }` or `{ to }`, a number; an empty name leaves it to the gateway. `{ answer, line }` takes
   * a call that rings. Rejects with RefusedError, or with the browser's own error if there is no microphone or
   * no network; the call is over then.
   */
  async dial(whom) {
    try {
      // Nobody is called before the microphone may be used; it is opened while the call is on its way.
      if (permission?.state !== "granted") await this.#openMicrophone();
      await this.#side.ready;
      await Promise.all([this.#connect(whom), this.own ?? this.#openMicrophone()]);
    } catch (error) {
      if (this.#over) return;
      this.#over = true;
      this.#letGo(this.#farewell());
      throw error;
    }
  }

  async #connect(whom) {
    const answer = await this.#signal(whom);
    if (this.#over) return;
    await this.#connection.setRemoteDescription({ type: "answer", sdp: answer });
    this.#timer = setTimeout(() => this.#connectTimedOut(), CONNECT_WITHIN_MS);
  }

  async #openMicrophone() {
    const own = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    const [track] = own.getAudioTracks();
    if (this.#over) return track.stop();
    track.enabled = !this.#muted;
    await this.#side.sender.replaceTrack(track);
    this.own = own;
    this.#tellConnected();
  }

  /** End the call, also while the page is going away. */
  hangUp() {
    if (this.#over) return;
    this.#finish("You hung up.", this.#farewell());
  }

  /** The gateway has said by other means that the call is over. */
  end(why) {
    this.#location = null;
    this.#finish(why);
  }

  set muted(muted) {
    this.#muted = muted;
    for (const track of this.own?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** Press a key: as an RTP event if the gateway takes those, else over the event channel. */
  press(digit) {
    const { dtmf } = this.#side.sender;
    if (dtmf?.canInsertDTMF) dtmf.insertDTMF(digit, 160, 70);
    else this.send({ type: "gateway.dtmf", digit });
  }

  /** Send an event, if the channel is open. */
  send(event) {
    if (this.#channel.readyState === "open") this.#channel.send(JSON.stringify(event));
  }

  /** Send no more than the gateway says the network carries. The codec's packet time is the browser's own. */
  async tune({ max_bitrate_bps: bitrate }) {
    const { sender } = this.#side;
    const parameters = sender.getParameters();
    if (!parameters.encodings?.length || !Number.isInteger(bitrate)) return;
    for (const encoding of parameters.encodings) encoding.maxBitrate = bitrate;
    await sender.setParameters(parameters);
  }

  stats() {
    return this.#connection.getStats();
  }

  async #signal(whom) {
    const url = new URL(CALLS);
    for (const [name, value] of Object.entries(whom)) if (value) url.searchParams.set(name, value);
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", ...this.#authorization() },
      body: this.#connection.localDescription.sdp,
    });
    if (!response.ok) throw new RefusedError(response.status, await reason(response));
    this.#location = new URL(response.headers.get("Location"), url);
    if (this.#over) this.#farewell();
    return response.text();
  }

  #authorization() {
    return this.#key ? { Authorization: `Bearer ${this.#key}` } : {};
  }

  async #farewell() {
    const location = this.#location;
    this.#location = null;
    if (location === null) return;
    try {
      // `keepalive` lets the request outlive the page. If it is lost, the gateway notices the silence.
      await fetch(location, { method: "DELETE", headers: this.#authorization(), keepalive: true });
    } catch (error) {
      console.warn("the hang-up did not arrive", error);
    }
  }

  #stateChanged() {
    const state = this.#connection.connectionState;
    if (state === "connected") {
      clearTimeout(this.#timer);
      this.#tellConnected();
    } else if (state === "failed") {
      this.#finish("The connection was lost.", this.#farewell());
    } else if (state === "closed") {
      this.#finish("The other side hung up.");
    }
  }

  #tellConnected() {
    if (this.connected && this.own !== null) this.dispatchEvent(new Event("connected"));
  }

  #connectTimedOut() {
    this.#finish("No connection to the gateway's media port.", this.#farewell());
  }

  #told(text) {
    const event = JSON.parse(text);
    if (event.type === STOPPED) this.#hush.until(event.rtp_timestamp);
    this.dispatchEvent(new CustomEvent("said", { detail: event }));
  }

  /** `told`: settles when the gateway knows; only then the connection goes, so that it is no surprise. */
  #finish(why, told = null) {
    if (this.#over) return;
    this.#over = true;
    this.#letGo(told);
    this.dispatchEvent(new CustomEvent("ended", { detail: why }));
  }

  async #letGo(told = null) {
    clearTimeout(this.#timer);
    this.#hush.release();
    for (const track of this.own?.getTracks() ?? []) track.stop();
    await told;
    this.#connection.close();
  }
}
