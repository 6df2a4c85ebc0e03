/** The table of turns: what is heard and what the gateway reports meet in one row. */

/** The two come from different ways, so either may be first; further apart they belong to different turns. */
const TOGETHER_MS = 1500;

const COLUMNS = ["answer", "reported", "interruption"];

export class TurnTable {
  #body;
  #row = null;
  #values = {};
  #at = -Infinity;

  constructor(body) {
    this.#body = body;
    body.replaceChildren();
  }

  /** `kind`: a column. */
  add(kind, ms, now = performance.now()) {
    const joins = kind !== "interruption" && now - this.#at < TOGETHER_MS;
    if (!joins || kind in this.#values || "interruption" in this.#values) this.#begin();
    this.#at = now;
    this.#values[kind] = ms;
    this.#row.cells[1 + COLUMNS.indexOf(kind)].textContent = Math.round(ms);
  }

  #begin() {
    this.#values = {};
    this.#row = this.#body.insertRow();
    const number = document.createElement("th");
    number.scope = "row";
    number.textContent = this.#body.rows.length;
    this.#row.append(number);
    for (const _ of COLUMNS) this.#row.insertCell().textContent = "–";
  }
}
