/** Small things that all parts of the page need. */

export const $ = (id) => document.getElementById(id);

/** The line of status at the top, which screen readers say. */
export function show(text, { trouble = false } = {}) {
  $("status").textContent = text;
  $("status").classList.toggle("trouble", trouble);
}

/** The gateway said no; `status` is the HTTP status, `message` what it said. */
export class RefusedError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** What a refusal says (RFC 9457), as one sentence. */
export async function reason(response) {
  const text = await response.text();
  try {
    const problem = JSON.parse(text);
    return problem.detail ?? problem.title ?? response.statusText;
  } catch {
    return response.statusText || `status ${response.status}`;
  }
}
