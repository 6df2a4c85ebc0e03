/** The page: its controls, and what they show of a call. */

import { Call, RefusedError } from "./call.js";
import { Levels, SILENCE_DB } from "./levels.js";
import { Quality } from "./quality.js";
import { Transcript } from "./transcript.js";
import { TurnTable } from "./turn_table.js";
import { EventClock, TurnClock } from "./turns.js";

const $ = (id) => document.getElementById(id);

const transcript = new Transcript($("transcript"));

let active = null;

/** Everything that lives as long as one call. */
class Conversation {
  #call;
  #levels = null;
  #quality = null;
  #turns = new TurnClock();
  #events = new EventClock();
  #table = new TurnTable($("turns"));
  #drawn = 0;

  constructor(key) {
    this.#call = new Call(key);
    this.#call.addEventListener("connected", () => this.#connected());
    this.#call.addEventListener("said", (event) => this.#said(event.detail));
    this.#call.addEventListener("ended", (event) => this.#over(event.detail));
  }

  async dial(whom) {
    try {
      await this.#call.dial(whom);
    } catch (error) {
      if (error instanceof RefusedError && [401, 403].includes(error.status)) askForKey();
      this.#over(explain(error), { trouble: true });
    }
  }

  hangUp() {
    this.#call.hangUp();
  }

  press(digit) {
    this.#call.press(digit);
    transcript.note(`You press ${digit}`);
  }

  set muted(muted) {
    this.#call.muted = muted;
  }

  #connected() {
    if (this.#levels !== null) return; // again, after an interruption of the network
    $("far").srcObject = this.#call.far;
    this.#levels = new Levels((now, levels) => this.#heard(now, levels));
    this.#levels.listen("own", this.#call.own);
    this.#levels.listen("far", this.#call.far);
    this.#quality = new Quality(() => this.#call.stats(), (summary) => this.#measured(summary));
    show("Connected.");
  }

  #heard(now, levels) {
    const { own = SILENCE_DB, far = SILENCE_DB } = levels;
    for (const found of this.#turns.update(now, own, far)) {
      this.#table.add(found.kind, found.ms);
    }
    if (now - this.#drawn < 80) return;
    this.#drawn = now;
    $("own-level").value = own;
    $("far-level").value = far;
  }

  #said(event) {
    transcript.handle(event);
    const ms = this.#events.update(performance.now(), event.type);
    if (ms !== null) this.#table.add("reported", ms);
  }

  #measured(summary) {
    $("lost").textContent = figure(summary.lost_percent, "%");
    $("concealed").textContent = figure(summary.concealed_percent, "%");
    $("jitter").textContent = figure(summary.jitter_ms, "ms");
    $("rtt").textContent = figure(summary.rtt_ms, "ms");
    $("codec").textContent = summary.codec || "–";
  }

  #over(why, { trouble = false } = {}) {
    if (active === this) active = null;
    this.#levels?.close();
    this.#quality?.close();
    $("far").srcObject = null;
    $("own-level").value = $("far-level").value = SILENCE_DB;
    show(why, { trouble });
    enable();
  }
}

function explain(error) {
  if (error instanceof RefusedError) return `The gateway refuses the call: ${error.message}`;
  if (error.name === "NotAllowedError") return "The microphone may not be used: allow it for this page.";
  if (error.name === "NotFoundError") return "There is no microphone.";
  return `The call failed: ${error.message}`;
}

function askForKey() {
  for (const element of document.querySelectorAll(".keyed")) element.hidden = false;
  $("key").focus();
}

function show(text, { trouble = false } = {}) {
  $("status").textContent = text;
  $("status").classList.toggle("trouble", trouble);
}

function figure(value, unit) {
  return value === null ? "–" : `${value} ${unit}`;
}

function enable() {
  const busy = active !== null;
  $("call").disabled = busy;
  $("agent").disabled = $("number").disabled = $("key").disabled = busy;
  $("hangup").disabled = $("mute").disabled = !busy;
  if (!busy) $("mute").setAttribute("aria-pressed", "false");
}

async function listAgents() {
  const key = $("key").value;
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const response = await fetch(new URL("agents.json", import.meta.url), { headers });
  if (response.status === 401) return askForKey();
  if (!response.ok) return show("The agents' names may not be listed; a number can be called.");
  const { agents } = await response.json();
  const options = agents.map((name) => new Option(name, name));
  $("agent").replaceChildren(new Option("whoever answers", ""), ...options);
}

async function tryToListAgents() {
  try {
    await listAgents();
  } catch (error) {
    show(`The gateway does not answer: ${error.message}`, { trouble: true });
  }
}

$("dial").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (active !== null) return;
  const conversation = new Conversation($("key").value);
  active = conversation;
  transcript.clear();
  show("Calling …");
  enable();
  $("hangup").focus();
  const number = $("number").value.trim();
  await conversation.dial(number ? { to: number } : { agent: $("agent").value });
});

$("hangup").addEventListener("click", () => {
  active?.hangUp();
  $("call").focus();
});

$("mute").addEventListener("click", () => {
  const muted = $("mute").getAttribute("aria-pressed") !== "true";
  $("mute").setAttribute("aria-pressed", String(muted));
  if (active !== null) active.muted = muted;
});

$("keypad").addEventListener("click", (event) => {
  if (event.target instanceof HTMLButtonElement) active?.press(event.target.value);
});

$("keypad").addEventListener("keydown", (event) => {
  if (/^[0-9*#]$/.test(event.key) && !event.ctrlKey && !event.metaKey) active?.press(event.key);
});

addEventListener("pagehide", () => active?.hangUp());

$("key").addEventListener("change", tryToListAgents);

await tryToListAgents();
