// What the pages that mails lead to share: the secret behind '#', asking the API, texts in two languages, and forms.
// Opening such a page changes nothing: only the button's POST uses a link up.

import { texts } from "./texts.js";

export const language = navigator.language.toLowerCase().startsWith("es") ? "SPANISH" : "ENGLISH";
export const secret = location.hash.slice(1);
const words = texts[language];

document.documentElement.lang = language === "SPANISH" ? "es" : "en";
addEventListener("hashchange", () => location.reload());

/** A text in the reader's language; `{name}` stands for a fact. */
export function say(key, facts = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");
}

/** What the API has refused. */
export class Problem extends Error {
  constructor(error) {
    super(error.message);
    this.facts = error.extensions ?? {};
  }

  /** It in the reader's language, where we have words for it, else in the API's. */
  told() {
    const { code, state, support, least, wayOn } = this.facts;
    const key = code === "LINK_OVER" ? `over_${state}` : `problem_${code}`;
    const whom = support ? ` ${say("ask_support", { support })}` : "";
    if (key in words) return say(key, { least }) + whom;
    return [this.message, wayOn].filter(Boolean).join(" ") + whom;
  }
}

/** Send an operation and return its data; without the browser's cookies, unless `credentials` says otherwise. */
export async function ask(query, variables = {}, token = null, credentials = "omit") {
  const headers = { "content-type": "application/json", accept: "application/graphql-response+json" };
  if (token) headers.authorization = `Bearer ${token}`;
  let answer;
  try {
    const response = await fetch("/graphql", {
      method: "POST", headers, body: JSON.stringify({ query, variables }), credentials, cache: "no-store",
    });
    answer = await response.json();
  } catch {
    throw new Problem({ message: say("no_answer") });
  }
  if (answer.errors) throw new Problem(answer.errors[0]);
  return answer.data;
}

/** Make an element; texts are never read as markup. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Show a heading and what belongs below it, in place of what was there. */
export function show(title, ...children) {
  document.title = title;
  const heading = make("h1", { textContent: title, tabIndex: -1 });
  document.getElementById("main").replaceChildren(heading, ...children.filter((child) => child !== null));
  heading.focus();
}

/** A labelled field; `hint` stands below it. */
export function field(name, label, properties = {}, hint = null) {
  const input = make("input", { id: name, name, required: true, ...properties });
  const below = hint ? make("p", { className: "hint", id: `${name}-hint`, textContent: hint }) : null;
  if (below) input.setAttribute("aria-describedby", below.id);
  return make("div", {}, make("label", { htmlFor: name, textContent: label }), input, below);
}

/** A form whose button does `act` with its values, and tells what went wrong. */
export function form(button, act, ...children) {
  const problem = make("p", { className: "problem", hidden: true });
  problem.setAttribute("role", "alert");
  const submit = make("button", { type: "submit", textContent: button });
  const made = make("form", {}, ...children, problem, submit);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    problem.hidden = true;
    try {
      await act(Object.fromEntries(new FormData(made)));
    } catch (error) {
      problem.textContent = error instanceof Problem ? error.told() : say("no_answer");
      problem.hidden = false;
    } finally {
      submit.disabled = false;
    }
  });
  return made;
}

export const paragraph = (text) => make("p", { textContent: text });

/** Say that a link leads nowhere, and whom to ask. */
export function over(error) {
  show(say("over_title"), paragraph(error instanceof Problem ? error.told() : say("no_answer")));
}

/** Forget the secret once it is used up, so that it stays in no history. */
export function used() {
  history.replaceState(null, "", location.pathname);
}

/** An id of our own making, by which a retry is recognised. */
export function fresh() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether this browser knows passkeys. */
export const takesPasskeys = typeof globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON === "function";

/** What a passkey answers to a challenge's options. */
export async function signedBy(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(options));
  try {
    return JSON.stringify((await navigator.credentials.get({ publicKey })).toJSON());
  } catch {  // none was there, or its owner has thought better of it
    throw new Problem({ message: say("no_passkey") });
  }
}

/** Show where to sign in. */
export function signIn(title, text) {
  used();
  show(title, paragraph(text), make("a", { href: "/sign-in", textContent: say("to_sign_in") }));
}
