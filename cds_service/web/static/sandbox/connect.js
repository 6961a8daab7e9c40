// The dialog for a case from a FHIR server: find a patient and an encounter, and build the request as an EHR would.
import { STOP, inLanguage, inWords } from "../language.js";
import { $, dayOf, el, genderOf, show } from "./dom.js";
import { post } from "./service.js";

const DEFAULT_HOOK = "claim-review";

/** Fill the dialog. `opened` receives the built request and its title. */
export function connectForm(hooks, opened) {
  const body = $("connect-body");
  const address = field("fhir-address", inWords("FHIR server URL"), { type: "url", required: true, placeholder: "http://127.0.0.1:8090/fhir", spellcheck: "false" });
  const token = field("fhir-token", inWords("Access token, if required"), { type: "password", autocomplete: "off" });
  const name = field("fhir-name", inWords("Patient name, or part of it (optional)"), { type: "text", autocomplete: "off" });
  const fault = el("div", { role: "alert" });
  const patients = el("div", { id: "fhir-patients" });
  const rest = el("div", { id: "fhir-rest" });
  const server = () => ({ fhirServer: address.input.value.trim(), token: token.input.value.trim() });

  const step = async (path, content) => {
    show(fault);
    body.setAttribute("aria-busy", "true");
    try {
      return await post(inLanguage(`/sandbox/connect/${path}`), { ...server(), ...content });
    } catch (error) {
      show(fault, el("p", { class: "fault" }, error.message, STOP));
      return null;
    } finally {
      body.setAttribute("aria-busy", "false");
    }
  };

  const find = async (event) => {
    event.preventDefault();
    show(patients);
    show(rest);
    const found = await step("patients", { name: name.input.value.trim() });
    if (!found) return;
    if (!found.patients.length) show(patients, el("p", { class: "empty" }, inWords("No patient on this server matches.")));
    else show(patients, el("h3", {}, inWords("Patient")), el("ul", { class: "choices" }, found.patients.map((each) => el("li", {}, el("button", { type: "button", onclick: (click) => choose(each, click.currentTarget) }, describe(each))))));
    patients.querySelector("button")?.focus();
  };

  const choose = async (patient, button) => {
    for (const each of patients.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button));
    const found = await step("visits", { patient: patient.id });
    if (!found) return;
    const visit = el("select", { id: "fhir-visit" }, found.visits.map((each) => el("option", { value: each.id }, [each.day ? dayOf(each.day) : "", each.about || each.id].filter(Boolean).join(" · "))), el("option", { value: "" }, inWords("None")));
    const hook = el("select", { id: "fhir-hook" }, hooks.map((each) => el("option", { value: each.hook, selected: each.hook === DEFAULT_HOOK }, each.name)));
    const leave = el("input", { id: "fhir-leave", type: "checkbox" });
    const build = async (event) => {
      event.preventDefault();
      const built = await step("case", { patient: patient.id, encounter: visit.value, hook: hook.value, leaveToService: leave.checked });
      if (built) opened(built, inWords("{patient}, from {server}", { patient: describe(patient), server: new URL(address.input.value).host }));
    };
    show(rest, el("form", { onsubmit: build },
      el("p", {}, el("label", { for: "fhir-visit" }, inWords("Encounter")), visit),
      el("p", {}, el("label", { for: "fhir-hook" }, inWords("Called when")), hook),
      el("p", { class: "tick" }, leave, " ", el("label", { for: "fhir-leave" }, inWords("Send no prefetch: the service fetches the record itself"))),
      el("p", {}, el("button", { type: "submit", class: "main" }, inWords("Review")))));
    visit.focus();
  };

  show(body,
    el("p", {}, inWords("This page acts as a small EHR: it queries the FHIR server with the service’s prefetch templates, builds the request and signs the call. CDS_FHIR_SERVERS lists the allowed servers; without it, only servers on localhost are allowed.")),
    el("form", { onsubmit: find }, address.whole, token.whole, name.whole, el("p", {}, el("button", { type: "submit", class: "main" }, inWords("Find patients")))),
    fault, patients, rest);
}

function field(id, label, attributes) {
  const input = el("input", { id, ...attributes });
  return { input, whole: el("p", {}, el("label", { for: id }, label), input) };
}

const describe = ({ id, person = {} }) => [person.name || id, genderOf(person.gender), person.born].filter(Boolean).join(", ");
