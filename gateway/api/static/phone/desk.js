/** A person's desk: signing in, being there or away, calls that ring, and what can be done with one. */

import { Line } from "./line.js";
import { $, show } from "./page.js";
import { Ringer } from "./ringer.js";
import { forget, kept, signIn, signOut } from "./sign_in.js";

const ENDED = {
  answered_elsewhere: "The call was answered elsewhere.",
  declined: "The call was declined.",
  timeout: "You missed a call.",
  cancelled: "The caller gave up.",
};

const LEFT = {
  "the caller has gone": "The caller hung up.",
  "handed back": "The call is back with the agent.",
};

const ROLES = { caller: "Caller", agent: "Agent", person: "Colleague" };

export class Desk {
  #phone;
  #line = null;
  #ringer = new Ringer();
  #ring = null;
  #focused = null;
  #engaged = false;
  /** The answered ring whose audio runs here. */
  #taken = "";

  /**
   * `phone`: `answer(whom)` makes a call, `finish(why)` ends the running one, `held` is set as the gateway says,
   * `transcript` writes lines.
   */
  constructor(phone) {
    this.#phone = phone;
    $("sign-in").addEventListener("submit", (event) => this.#signIn(event));
    $("sign-out").addEventListener("click", () => this.#signOut());
    $("ready").addEventListener("click", () => this.#toggleReady());
    $("answer").addEventListener("click", () => this.#answer());
    $("decline").addEventListener("click", () => this.#decline());
    $("hold").addEventListener("click", () => this.#toggleHold());
    $("hand-back").addEventListener("click", () => this.#line?.send({ type: "hand_back" }));
    // After a reload sound needs a new sign of the user's presence.
    addEventListener("pointerdown", () => this.#wake(), { capture: true });
    addEventListener("keydown", () => this.#wake(), { capture: true });
  }

  /** The person's token, or empty. */
  get token() {
    return this.#line === null ? "" : kept();
  }

  /** Go on where a reload interrupted. */
  start() {
    if (kept()) this.#connect(kept());
  }

  /** A call of one's own is on: nothing rings meanwhile. */
  set engaged(engaged) {
    this.#engaged = engaged;
    this.#tellReady();
  }

  /** The call that was answered is over, as far as the audio goes. */
  released() {
    this.#taken = "";
    if (this.#line !== null) this.#line.answered = "";
    for (const element of document.querySelectorAll(".line")) element.hidden = true;
    $("hold").setAttribute("aria-pressed", "false");
  }

  // ---- signing in -----------------------------------------------------------------------------

  async #signIn(event) {
    event.preventDefault();
    $("sign-in-problem").textContent = "";
    try {
      const token = await signIn($("user").value.trim(), $("password").value);
      $("password").value = "";
      $("ready").setAttribute("aria-pressed", "true");
      this.#connect(token);
      $("ready").focus();
    } catch (error) {
      $("sign-in-problem").textContent = `Not signed in: ${error.message}.`;
      $("password").select();
      return;
    }
    await this.#ringer.askToNotify();
  }

  async #signOut() {
    const token = kept();
    this.#disconnect();
    $("user").focus();
    await signOut(token);
  }

  #connect(token) {
    const line = new Line(token);
    line.answered = this.#taken;
    this.#line = line;
    line.addEventListener("connected", (event) => this.#connected(event.detail));
    line.addEventListener("lost", () => this.#lost());
    line.addEventListener("over", (event) => this.#over(event.detail));
    line.addEventListener("told", (event) => this.#told(event.detail));
    this.#showPresence("Connecting …");
    this.#tellReady();
    $("sign-in").hidden = true;
    $("signed-in").hidden = false;
    this.#phone.signedIn();
  }

  #connected({ name }) {
    $("person").textContent = name;
    $("hold").disabled = $("hand-back").disabled = false;
    this.#tellReady();
  }

  #lost() {
    this.#stopRinging();
    $("hold").disabled = $("hand-back").disabled = true;
    this.#showPresence("No connection to the gateway; trying again.");
  }

  #over(why) {
    forget();
    this.#disconnect();
    $("sign-in-problem").textContent = why;
  }

  #disconnect() {
    this.#line?.close();
    this.#line = null;
    this.#stopRinging();
    $("sign-in").hidden = false;
    $("signed-in").hidden = true;
    this.#showPresence("");
  }

  // ---- there or away --------------------------------------------------------------------------

  async #toggleReady() {
    const ready = $("ready").getAttribute("aria-pressed") !== "true";
    $("ready").setAttribute("aria-pressed", String(ready));
    this.#tellReady();
    if (ready) await this.#ringer.askToNotify();
  }

  #tellReady() {
    if (this.#line === null) return;
    const wanted = $("ready").getAttribute("aria-pressed") === "true";
    this.#line.ready = wanted && !this.#engaged;
    if (!this.#line.id) return;
    if (!wanted) return this.#showPresence("You are away: no calls come.");
    const deaf = this.#ringer.silent ? " Click anywhere so that they can be heard." : "";
    this.#showPresence(this.#engaged ? "No calls come while you are in one." : `Calls come to you.${deaf}`);
  }

  #showPresence(text) {
    if ($("presence").textContent !== text) $("presence").textContent = text;
  }

  async #wake() {
    if (this.#line === null || !this.#ringer.silent) return;
    await this.#ringer.prepare();
    this.#tellReady();
  }

  // ---- ringing --------------------------------------------------------------------------------

  #told(message) {
    switch (message.type) {
      case "ring":
        return this.#startRinging(message);
      case "ring_ended":
        if (message.ring_id !== this.#ring?.ring_id) return undefined;
        this.#stopRinging();
        return show(ENDED[message.reason] ?? "It rings no more.");
      case "joined":
        return this.#joined(message);
      case "held":
        return this.#held(message.held);
      case "said":
        return this.#phone.transcript.said(ROLES[message.role] ?? message.role, message.text);
      case "left":
        return this.#left(message);
      case "refused":
        return show(message.message, { trouble: true });
      default:
        return undefined;
    }
  }

  #startRinging(ring) {
    const again = this.#ring === ring;
    if (this.#ring === null) this.#focused = document.activeElement;
    this.#ring = ring;
    const who = ring.from || "unknown caller";
    $("incoming-from").textContent = who;
    $("incoming-to").textContent = [ring.to && `for ${ring.to}`, ring.agent && `from agent ${ring.agent}`]
      .filter(Boolean)
      .join(", ");
    const lines = ring.transcript.map(({ role, text }) => {
      const line = document.createElement("li");
      line.textContent = `${ROLES[role] ?? role}: ${text}`;
      return line;
    });
    $("incoming-transcript").replaceChildren(...lines);
    $("incoming-transcript").hidden = lines.length === 0;
    $("incoming").hidden = false;
    $("answer").disabled = $("decline").disabled = false;
    if (!again) show(`Call from ${who}.`);
    // Who is just writing must not answer by a key that was meant for the text.
    if (!(this.#focused instanceof HTMLInputElement)) $("answer").focus();
    this.#ringer.start(who);
  }

  #stopRinging() {
    this.#ringer.stop();
    if (this.#ring === null) return;
    this.#ring = null;
    const inside = $("incoming").contains(document.activeElement);
    $("incoming").hidden = true;
    if (inside) (this.#focused?.isConnected ? this.#focused : $("ready")).focus();
  }

  async #answer() {
    const ring = this.#ring;
    if (ring === null || !this.#line?.id) return;
    $("answer").disabled = $("decline").disabled = true;
    this.#ringer.stop();
    this.#taken = ring.ring_id;
    this.#line.answered = ring.ring_id;
    const answered = await this.#phone.answer({ answer: ring.ring_id, line: this.#line.id }, ring);
    if (!answered) {
      this.released();
      if (this.#ring === ring) this.#startRinging(ring);
      return;
    }
    this.#stopRinging();
    $("hangup").focus();
    for (const { role, text } of ring.transcript) this.#phone.transcript.said(ROLES[role] ?? role, text);
  }

  #decline() {
    if (this.#ring === null) return;
    this.#line?.send({ type: "decline", ring_id: this.#ring.ring_id });
    this.#stopRinging();
    show("You declined the call.");
  }

  // ---- in a call ------------------------------------------------------------------------------

  #joined(message) {
    if (message.ring_id !== this.#taken) return;
    for (const element of document.querySelectorAll(".line")) element.hidden = false;
    this.#held(message.held);
  }

  #toggleHold() {
    const held = $("hold").getAttribute("aria-pressed") === "true";
    this.#line?.send({ type: held ? "resume" : "hold" });
  }

  #held(held) {
    $("hold").setAttribute("aria-pressed", String(held));
    this.#phone.held = held;
    show(held ? "The caller is on hold." : "Connected.");
  }

  #left({ ring_id, reason }) {
    const why = LEFT[reason];
    // The audio may have ended first, and another call may be on by now.
    if (ring_id === this.#taken) this.#phone.finish(why ?? "The call is over.");
    else if (why && !this.#engaged && this.#taken === "") show(why);
  }
}
