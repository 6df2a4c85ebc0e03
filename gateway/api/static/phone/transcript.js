/** The conversation in writing, from the gateway's events. */

const WHO = { you: "You", agent: "Agent" };

export class Transcript {
  #log;
  #lines = new Map();

  constructor(log) {
    this.#log = log;
  }

  clear() {
    this.#log.replaceChildren();
    this.#lines.clear();
  }

  note(text) {
    this.#append("note").textContent = text;
  }

  /** A line that is complete. */
  said(name, text) {
    const line = this.#append(name === "Caller" ? "agent" : "you");
    line.append(label(name), text);
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** Take an event of the channel; others than those about words are ignored. */
  handle(event) {
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        // What is said takes its place now, though its words come later than the answer's first.
        this.#line(event.item_id, "you");
        break;
      case "conversation.item.input_audio_transcription.delta":
        this.#write(event.item_id, "you", event.delta, { more: true });
        break;
      case "conversation.item.input_audio_transcription.completed":
        this.#write(event.item_id, "you", event.transcript);
        break;
      case "response.output_audio_transcript.delta":
        this.#write(event.item_id, "agent", event.delta, { more: true });
        break;
      case "response.output_audio_transcript.done":
        this.#write(event.item_id, "agent", event.transcript);
        break;
      case "conversation.item.truncated":
        this.#lines.get(event.item_id)?.classList.add("cut");
        break;
      case "response.function_call_arguments.done":
        this.note(`The agent does: ${event.name}`);
        break;
      case "error":
        this.note(event.error.message);
        break;
    }
  }

  #write(item, who, text, { more = false } = {}) {
    const words = this.#line(item, who).lastElementChild;
    words.textContent = more ? words.textContent + text : text;
    this.#show(words.parentElement);
  }

  #line(item, who) {
    let line = this.#lines.get(item);
    if (line === undefined) {
      line = this.#append(who);
      line.hidden = true;
      line.append(label(WHO[who]), document.createElement("span"));
      this.#lines.set(item, line);
    }
    return line;
  }

  #append(kind) {
    const line = document.createElement("p");
    line.className = kind;
    this.#log.append(line);
    return line;
  }

  #show(line) {
    line.hidden = line.lastElementChild.textContent === "";
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}

function label(name) {
  const who = document.createElement("span");
  who.className = "who";
  who.textContent = `${name}: `;
  return who;
}
