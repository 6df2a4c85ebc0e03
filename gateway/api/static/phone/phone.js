/** The page: its controls. */

import { Conversation } from "./conversation.js";
import { Desk } from "./desk.js";
import { $, show } from "./page.js";
import { prepare } from "./spare.js";
import { Transcript } from "./transcript.js";

const transcript = new Transcript($("transcript"));

let active = null;

/** What the desk may do with the phone. */
const desk = new Desk({
  transcript,
  answer: (whom, ring) => begin(whom, `Answering ${ring.from || "the call"} …`),
  finish: (why) => active?.end(why),
  set held(held) {
    if (active !== null) active.held = held;
  },
  signedIn: () => tryTo(listAgents),
});

/** Whether the gateway took the call. */
async function begin(whom, saying) {
  const conversation = new Conversation(desk.token || $("key").value, transcript, over);
  active = conversation;
  transcript.clear();
  show(saying);
  enable();
  return conversation.dial(whom, (status) => {
    if ([401, 403].includes(status) && !desk.token) askForKey();
  });
}

function over(conversation) {
  if (active !== conversation) return;
  active = null;
  desk.released();
  desk.engaged = false;
  enable();
  prepare();
}

function askForKey() {
  for (const element of document.querySelectorAll(".keyed")) element.hidden = false;
  $("key").focus();
}

function enable() {
  const busy = active !== null;
  $("call").disabled = busy;
  $("agent").disabled = $("number").disabled = $("key").disabled = busy;
  $("hangup").disabled = $("mute").disabled = !busy;
  if (!busy) $("mute").setAttribute("aria-pressed", "false");
}

async function openDesk() {
  const settings = await fetch(new URL("settings.json", import.meta.url));
  $("desk").hidden = !(settings.ok && (await settings.json()).people);
  if (!$("desk").hidden) desk.start();
}

async function listAgents() {
  const key = desk.token || $("key").value;
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const response = await fetch(new URL("agents.json", import.meta.url), { headers });
  if (response.status === 401) return $("desk").hidden ? askForKey() : undefined;
  if (!response.ok) return show("The agents' names may not be listed; a number can be called.");
  const { agents } = await response.json();
  const options = agents.map((name) => new Option(name, name));
  $("agent").replaceChildren(new Option("whoever answers", ""), ...options);
}

/** A page whose gateway does not answer says so and can still be used when it does again. */
async function tryTo(ask) {
  try {
    await ask();
  } catch (error) {
    show(`The gateway does not answer: ${error.message}`, { trouble: true });
  }
}

$("dial").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (active !== null) return;
  desk.engaged = true;
  const number = $("number").value.trim();
  const taken = begin(number ? { to: number } : { agent: $("agent").value }, "Calling …");
  $("hangup").focus();
  await taken;
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

prepare();

// A page may have been in the background for long.
document.addEventListener("visibilitychange", () => document.hidden || active || prepare());

$("key").addEventListener("change", () => tryTo(listAgents));

await tryTo(openDesk);
await tryTo(listAgents);
