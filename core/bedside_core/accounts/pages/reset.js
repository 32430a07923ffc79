// A new password: without a secret the page sends a link, with one it asks a question or for the second factor.

import { ask, field, form, language, make, over, paragraph, Problem, say, secret, show, signedBy, signIn } from "./common.js";

const LOOK = `query Look($secret: String!, $language: NotificationLanguage!) {
  passwordReset(secret: $secret, language: $language) { question { text } factor passkey }
}`;
const RESET = `mutation Reset($secret: String!, $password: String!, $answer: String, $code: String,
    $passkey: PasskeyAnswerInput) {
  resetPassword(secret: $secret, password: $password, answer: $answer, code: $code, passkey: $passkey)
}`;
const CHALLENGE = "mutation Challenge { beginPasskeySignIn { id options } }";
const REQUEST = "mutation Request($email: String!) { requestPasswordReset(email: $email) }";
const SUPPORT = "query Support { supportContact }";

async function request() {
  const { supportContact: support } = await ask(SUPPORT).catch(() => ({ supportContact: null }));
  const send = async ({ email }) => {
    await ask(REQUEST, { email });
    show(say("request_title"), paragraph(say("request_done", { email })), support && paragraph(say("support", { support })));
  };
  show(say("request_title"), paragraph(say("request_text")),
    form(say("send"), send, field("email", say("email"), { type: "email", autocomplete: "username" })),
    support ? paragraph(say("support", { support })) : null);
}

/** What a passkey makes of a challenge. */
async function signed() {
  const { id, options } = (await ask(CHALLENGE)).beginPasskeySignIn;
  return { challengeId: id, credential: await signedBy(options) };
}

function reset(asks, way) {
  const factor = asks.factor || asks.passkey;
  const proof = {
    question: () => field("answer", asks.question.text, { autocomplete: "off" }),
    code: () => field("code", say("code"), { autocomplete: "one-time-code" }),
    passkey: () => null,
  }[way]();
  const send = async ({ password, answer, code }) => {
    const passkey = way === "passkey" ? await signed() : null;
    try {
      await ask(RESET, { secret, password, answer, code, passkey });
    } catch (error) {
      const wrong = error instanceof Problem && error.facts.code === "INVALID_INPUT";
      throw wrong ? new Problem({ message: say("problem_INVALID_INPUT_ANSWER") }) : error;
    }
    signIn(say("reset_done_title"), say("reset_done"));
  };
  const others = ["question", "code", "passkey"].filter((each) => each !== way && possible(asks, each));
  const names = { question: "or_question", code: "or_factor", passkey: "or_factor" };
  show(say("again_title"),
    form(say("reset"), send, proof,
      field("password", say("new_password"), { type: "password", autocomplete: "new-password" },
        say(factor ? "password_hint_factor" : "password_hint"))),
    ...others.map((each) => {
      const other = make("button", { type: "button", textContent: say(names[each]) });
      other.addEventListener("click", () => reset(asks, each));
      return make("p", {}, other);
    }));
}

function possible(asks, way) {
  return way === "question" ? asks.question !== null : way === "code" ? asks.factor : asks.passkey;
}

if (secret) {
  try {
    const asks = (await ask(LOOK, { secret, language })).passwordReset;
    const way = ["question", "code", "passkey"].find((each) => possible(asks, each));
    if (way) reset(asks, way);
    else show(say("again_title"), paragraph(say("no_question")));
  } catch (error) {
    over(error);
  }
} else {
  await request();
}
