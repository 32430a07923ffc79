// Follows an invitation: reads the secret behind "#", asks the date of birth, then a password. Nothing is stored here.
"use strict";

const INVITATION = "query ($secret: String!) { portalInvitation(secret: $secret) { practice guardian } }";
const CONFIRM = `mutation ($secret: String!, $birth: Date!) {
  confirmPortalInvitation(secret: $secret, dateOfBirth: $birth) { email known }
}`;
const CHOOSE = `mutation ($secret: String!, $birth: Date!, $email: String!) {
  choosePortalAddress(secret: $secret, dateOfBirth: $birth, email: $email)
}`;
const ASKED = "query { securityQuestions { key text } terms { version text } }";
const REGISTER = `mutation ($secret: String!, $birth: Date!, $password: String!, $id: String!, $email: String,
    $answers: [SecurityAnswerInput!], $terms: Int) {
  registerForPortal(secret: $secret, dateOfBirth: $birth, password: $password, clientId: $id, email: $email,
    answers: $answers, termsVersion: $terms)
}`;
const QUESTIONS = 3;

const secret = location.hash.slice(1);
const registration = crypto.getRandomValues(new Uint32Array(4)).join("-"); // a retry is the same registration
let terms = null;
const part = (id) => document.getElementById(id);
const shown = (id, on) => { part(id).hidden = !on; };

/** Ask one operation; returns its data, or throws what the server says in words for people. */
async function ask(query, variables) {
  const answer = await fetch("/graphql", {
    method: "POST",
    credentials: "omit",
    headers: { "content-type": "application/json", accept: "application/graphql-response+json" },
    body: JSON.stringify({ query, variables }),
  });
  const body = await answer.json();
  if (body.errors) {
    throw body.errors[0];
  }
  return body.data;
}

/** Say what stands in the way. */
function complain(error) {
  const told = error.extensions ?? {};
  const left = told.attemptsLeft;
  const words = [error.message ?? "The server can't be reached.", told.wayOn];
  if (left > 0) {
    words.push(left === 1 ? "One attempt is left." : `${left} attempts are left.`);
  }
  part("problem").textContent = words.filter(Boolean).join(" ");
  shown("problem", true);
  if (told.code === "LINK_OVER" || left === 0) {
    for (const form of ["who", "reach", "account"]) {
      shown(form, false);
    }
  }
}

/** Do something for a form, once at a time, and say what went wrong. */
async function attempt(form, work) {
  const button = form?.querySelector("button");
  shown("problem", false);
  if (button) {
    button.disabled = true;
  }
  try {
    await work();
  } catch (error) {
    complain(error);
  } finally {
    if (button) {
      button.disabled = false;
    }
  }
}

async function begin() {
  const { portalInvitation: invited } = await ask(INVITATION, { secret });
  part("greeting").textContent = invited.guardian
    ? `${invited.practice} invites you to act for somebody in its patient portal.`
    : `${invited.practice} invites you to its patient portal.`;
  part("whose").textContent = invited.guardian
    ? "When was the person born for whom you will act?"
    : "When were you born?";
  shown("who", true);
  part("birth").focus();
}

/** Show what a new account is asked besides: three questions out of the list, and the Terms of Use. */
async function prepare() {
  const asked = await ask(ASKED, {});
  terms = asked.terms.version;
  part("terms").replaceChildren(...asked.terms.text.split(/\n\s*\n/).map((words) => made("p", { textContent: words })));
  const rows = Array.from({ length: QUESTIONS }, (_, number) => {
    const choice = made("select", { id: `question${number}`, required: true, ariaLabel: `Question ${number + 1}` });
    choice.append(...asked.securityQuestions.map(({ key, text }) => made("option", { value: key, textContent: text })));
    choice.selectedIndex = number;
    const answer = made("input", {
      id: `answer${number}`, required: true, autocomplete: "off", ariaLabel: `Answer ${number + 1}`,
    });
    return [choice, answer];
  });
  part("questions").replaceChildren(...rows.flat());
}

const made = (name, properties) => Object.assign(document.createElement(name), properties);

async function identify() {
  const { confirmPortalInvitation: invited } = await ask(CONFIRM, { secret, birth: part("birth").value });
  if (!invited.email) {
    shown("who", false);
    shown("reach", true);
    part("address").focus();
    return;
  }
  const { email, password } = part("account").elements;
  email.value = invited.email;
  password.autocomplete = invited.known ? "current-password" : "new-password";
  part("asked").textContent = invited.known ? "The password of your account" : "Choose a password";
  part("advice").textContent = invited.known
    ? "There is an account with this address already. It will act for one more."
    : "At least 15 characters. Several words in a row make a good one.";
  if (!invited.known) {
    await prepare();
  }
  part("fresh").disabled = invited.known; // what is disabled is not required
  shown("fresh", !invited.known);
  shown("who", false);
  shown("account", true);
  password.focus();
}

/** Have a link sent to an address, which leads on; whether there is an account with it is not told here. */
async function choose() {
  const address = part("address").value;
  await ask(CHOOSE, { secret, birth: part("birth").value, email: address });
  part("greeting").textContent = `Look into your mail: a link was sent to ${address}. It leads on.`;
  part("again").textContent = "Nothing came? See whether the address is right, and have it sent again.";
}

async function register() {
  const answers = part("fresh").disabled ? [] : Array.from({ length: QUESTIONS }, (_, number) => (
    { question: part(`question${number}`).value, answer: part(`answer${number}`).value }
  ));
  const { registerForPortal: name } = await ask(REGISTER, {
    secret,
    birth: part("birth").value,
    password: part("password").value,
    email: part("email").value,
    id: registration,
    ...(part("fresh").disabled ? {} : { terms, answers }),
  });
  part("password").value = "";
  shown("account", false);
  part("greeting").textContent = `You are registered, and can sign in as ${name}.`;
}

for (const [id, work] of [["who", identify], ["reach", choose], ["account", register]]) {
  part(id).addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(event.target, work);
  });
}
attempt(null, begin);
