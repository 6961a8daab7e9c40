// From a FHIR server: find a patient and a visit there, and build the request as a small EHR would.
import { $, dayOf, el, show } from "./dom.js";
import { post } from "./service.js";

const MOMENT = "claim-review"; // where a newcomer sees most

/** The form, step by step; `opened` takes the case that it leads to. */
export function connectForm(moments, opened) {
  const body = $("connect-body");
  const address = field("fhir-address", "Address of the FHIR server", { type: "url", required: true, placeholder: "http://127.0.0.1:8090/fhir", spellcheck: "false" });
  const token = field("fhir-token", "Access token, if the server asks for one", { type: "password", autocomplete: "off" });
  const name = field("fhir-name", "Part of the patient’s name (may be empty)", { type: "text", autocomplete: "off" });
  const fault = el("div", { role: "alert" });
  const patients = el("div", { id: "fhir-patients" });
  const rest = el("div", { id: "fhir-rest" });
  const server = () => ({ fhirServer: address.input.value.trim(), token: token.input.value.trim() });

  const step = async (path, content) => {
    show(fault);
    body.setAttribute("aria-busy", "true");
    try {
      return await post(`/sandbox/connect/${path}`, { ...server(), ...content });
    } catch (error) {
      show(fault, el("p", { class: "fault" }, `${error.message.replace(/`/g, "")}.`));
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
    if (!found.patients.length) show(patients, el("p", { class: "empty" }, "This server has no patient of that name."));
    else show(patients, el("h3", {}, "Which patient?"), el("ul", { class: "choices" }, found.patients.map((each) => el("li", {}, el("button", { type: "button", onclick: (click) => choose(each, click.currentTarget) }, called(each))))));
    patients.querySelector("button")?.focus();
  };

  const choose = async (patient, button) => {
    for (const each of patients.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button));
    const found = await step("visits", { patient: patient.id });
    if (!found) return;
    const visit = el("select", { id: "fhir-visit" }, found.visits.map((each) => el("option", { value: each.id }, [each.day ? dayOf(each.day) : "", each.about || each.id].filter(Boolean).join(" · "))), el("option", { value: "" }, "None"));
    const moment = el("select", { id: "fhir-moment" }, moments.map((each) => el("option", { value: each.hook, selected: each.hook === MOMENT }, each.name)));
    const leave = el("input", { id: "fhir-leave", type: "checkbox" });
    const build = async (event) => {
      event.preventDefault();
      const framed = await step("case", { patient: patient.id, encounter: visit.value, hook: moment.value, leaveToService: leave.checked });
      if (framed) opened(framed, `${called(patient)}, from ${new URL(address.input.value).host}`);
    };
    show(rest, el("form", { onsubmit: build },
      el("p", {}, el("label", { for: "fhir-visit" }, "Which visit?"), visit),
      el("p", {}, el("label", { for: "fhir-moment" }, "When does the EHR ask?"), moment),
      el("p", { class: "tick" }, leave, " ", el("label", { for: "fhir-leave" }, "Send no prefetch: the service fetches the record itself")),
      el("p", {}, el("button", { type: "submit", class: "main" }, "Show what the service says"))));
    visit.focus();
  };

  show(body,
    el("p", {}, "Like a small EHR, this page asks the server for what the service’s prefetch templates name, builds the request, and signs the call. Which servers may be asked is a setting (CDS_FHIR_SERVERS); without it, those on this machine."),
    el("form", { onsubmit: find }, address.whole, token.whole, name.whole, el("p", {}, el("button", { type: "submit", class: "main" }, "Show patients"))),
    fault, patients, rest);
}

function field(id, label, attributes) {
  const input = el("input", { id, ...attributes });
  return { input, whole: el("p", {}, el("label", { for: id }, label), input) };
}

const called = ({ id, person = {} }) => [person.name || id, person.gender, person.born].filter(Boolean).join(", ");
