// Registration by the link of an invitation; who has an account already signs in and joins with it.

import { ask, field, form, fresh, language, make, over, paragraph, say, secret, show, signIn } from "./common.js";

const LOOK = `query Look($secret: String!, $language: NotificationLanguage!) {
  invitation(secret: $secret) { practice email firstName lastName inviter anew hasAccount }
  terms { version }
  securityQuestions(language: $language) { key text }
}`;
const REGISTER = `mutation Register($secret: String!, $password: String!, $answers: [SecurityAnswerInput!]!,
    $terms: Int!, $client: String!, $first: String, $last: String) {
  register(secret: $secret, password: $password, answers: $answers, termsVersion: $terms, clientId: $client,
    firstName: $first, lastName: $last) { email }
}`;
const SIGN_IN = `mutation SignIn($email: String!, $password: String!) {
  signIn(email: $email, password: $password) { token viewer { pending } }
}`;
const VERIFY = "mutation Verify($code: String!) { verifyCode(code: $code) { viewer { pending } } }";
const ACCEPT = `mutation Accept($secret: String!, $client: String!) {
  acceptInvitation(secret: $secret, clientId: $client) { persona }
}`;
const SIGN_OUT = "mutation SignOut { signOut }";
const client = fresh();

/** One of the questions with its answer; each is preset to another one. */
function question(number, questions) {
  const options = questions.map((each, place) =>
    make("option", { value: each.key, textContent: each.text, defaultSelected: place === number }));
  const name = `question${number}`;
  return make("div", {},
    make("label", { htmlFor: name, textContent: say("question", { number: number + 1 }) }),
    make("select", { id: name, name }, ...options),
    field(`answer${number}`, say("answer", { number: number + 1 }), { autocomplete: "off", maxLength: 200 }));
}

/** A new account, or for a member who was invited anew a new password and new answers. */
function register({ invitation, terms, securityQuestions }) {
  const { practice, email, inviter, anew } = invitation;
  const names = anew ? [] : [
    field("first", say("first_name"), { value: invitation.firstName, autocomplete: "given-name", maxLength: 100 }),
    field("last", say("last_name"), { value: invitation.lastName, autocomplete: "family-name", maxLength: 100 }),
  ];
  const accept = make("input", { type: "checkbox", id: "terms", name: "terms", required: true });
  const send = async (given) => {
    const answers = [0, 1, 2].map((number) => ({ question: given[`question${number}`], answer: given[`answer${number}`] }));
    await ask(REGISTER, {
      secret, password: given.password, answers, terms: terms.version, client, first: given.first, last: given.last,
    });
    signIn(say(anew ? "reset_done_title" : "registered_title"), say("registered_text", { email }));
  };
  show(
    anew ? say("again_title") : say("register_title", { practice }),
    paragraph(say(inviter ? "invited" : "invited_operator", { inviter, practice, email })),
    form(say("register"), send,
      make("input", { type: "email", name: "email", value: email, autocomplete: "username", hidden: true, readOnly: true }),
      ...names,
      field("password", say("new_password"), { type: "password", autocomplete: "new-password" }, say("password_hint")),
      paragraph(say("questions")),
      ...[0, 1, 2].map((number) => question(number, securityQuestions)),
      make("p", {}, make("a", { href: "/terms", target: "_blank", rel: "noopener", textContent: say("read_terms") })),
      make("label", { className: "choice" }, accept, say("accept_terms", { version: terms.version }))));
}

/** Join with the token of a complete sign-in, which ends with that. */
async function join(token, practice) {
  await ask(ACCEPT, { secret, client }, token);
  await ask(SIGN_OUT, {}, token);
  signIn(say("joined_title", { practice }), say("joined_text", { practice }));
}

/** Sign in with the account there is, with its second factor if it has one. */
function accept({ invitation: { practice, email } }) {
  const enter = async (given) => {
    const { token, viewer } = (await ask(SIGN_IN, { email: given.email, password: given.password })).signIn;
    if (viewer.pending !== "FACTOR") return join(token, practice);
    show(say("accept", { practice }), form(say("accept", { practice }), async ({ code }) => {
      await ask(VERIFY, { code }, token);
      await join(token, practice);
    }, field("code", say("code"), { autocomplete: "one-time-code" })));
  };
  show(say("register_title", { practice }), paragraph(say("has_account", { email, practice })),
    form(say("accept", { practice }), enter,
      field("email", say("email"), { type: "email", value: email, autocomplete: "username" }),
      field("password", say("password"), { type: "password", autocomplete: "current-password" })));
}

try {
  const found = await ask(LOOK, { secret, language });
  if (found.invitation.hasAccount) accept(found);
  else register(found);
} catch (error) {
  over(error);
}
