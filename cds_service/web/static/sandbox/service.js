// Calls of this service.
import { inWords, keepEnglish, language } from "../language.js";

/** An error response: the message and the invalid member. Messages are English, unless the response names its language. */
export class Refused extends Error {
  constructor(status, issue, spoken = "en") {
    const message = issue?.diagnostics?.replace(/`/g, "");
    super(message ?? inWords("the service returned {status}", { status: `${status}` }));
    if (message && spoken !== language) keepEnglish([message]);
    this.status = status;
    this.expression = issue?.expression?.[0] ?? "";
  }
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused(0, { diagnostics: inWords("the service cannot be reached") }, language);
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body.issue?.[0], body.language);
  keepEnglish(body.untranslated ?? []);
  return body;
}

export const get = (path) => answer(path, { headers: { Accept: "application/json" } });

export const post = (path, content, headers = {}) =>
  answer(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof content === "string" ? content : JSON.stringify(content),
  });

/** A call of a CDS Hooks service, with a token signed for it as an EHR would. */
export async function call(path, content) {
  const signed = await post("/sandbox/token", { path });
  // A card is in the page's language if the service has it there.
  return { answer: await post(path, content, { Authorization: `Bearer ${signed.token}`, "Accept-Language": language }), signed };
}

/** Send feedback on a card. */
export const feedback = (service, card, outcome, rest) =>
  call(`/cds-services/${service}/feedback`, {
    feedback: [{ card, outcome, outcomeTimestamp: new Date().toISOString(), ...rest }],
  });
