/** What every case expected and what each side's browser chose, as one table of plain text. */

/** @typedef {{ types: string, leg: string }} Pair */
/** @typedef {string | { patient: string, doctor: string }} Path  a word, or how each side reaches the relay */

const HEAD = ["case", "expected", "patient's pair", "doctor's pair", "measured"];

export class Table {
  /** @type {string[][]} */
  #rows = [HEAD];

  /**
   * @param {string} name
   * @param {Path} expected
   * @param {{ patient: Pair, doctor: Pair }} pairs
   * @param {string} measured
   */
  note(name, expected, { patient, doctor }, measured) {
    this.#rows.push([name, typeof expected === "string" ? expected : `relay ${expected.patient} / ${expected.doctor}`, told(patient), told(doctor), measured]);
  }

  toString() {
    const widths = HEAD.map((_, column) => Math.max(...this.#rows.map((row) => row[column].length)));
    const lines = this.#rows.map((row) => `| ${row.map((text, column) => text.padEnd(widths[column])).join(" | ")} |`);
    lines.splice(1, 0, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`);
    return `\n${lines.join("\n")}\n`;
  }
}

/** @param {Pair} pair */
function told({ types, leg }) {
  return leg ? `${types} ${leg}` : types;
}
