// Signing in: password or passkey, second factor, new Terms of Use, as whom; and back to where somebody came from.
// Opening the page changes nothing; what is typed here goes to the API alone, and the session into an HttpOnly cookie.

import { ask, field, form, language, make, paragraph, Problem, say, show, signedBy, takesPasskeys } from "./common.js";

const WHO = `query Who($language: NotificationLanguage!) {
  supportContact
  viewer {
    pending personas { id name practice current } termsToAccept { version text(language: $language) }
  }
}`;
const SIGN_IN = `mutation SignIn($email: String!, $password: String!) {
  signIn(email: $email, password: $password, cookie: true) { viewer { pending } }
}`;
const CHALLENGE = "mutation Challenge { beginPasskeySignIn { id options } }";
const SIGN_IN_PASSKEY = `mutation SignInWithPasskey($id: ID!, $credential: String!) {
  signInWithPasskey(challengeId: $id, credential: $credential, cookie: true) { viewer { pending } }
}`;
const VERIFY = "mutation Verify($code: String!) { verifyCode(code: $code, cookie: true) { viewer { pending } } }";
const FACTOR_CHALLENGE = "mutation FactorChallenge { beginPasskeyFactor { id options } }";
const VERIFY_PASSKEY = `mutation VerifyPasskey($id: ID!, $credential: String!) {
  verifyPasskey(challengeId: $id, credential: $credential, cookie: true) { viewer { pending } }
}`;
const BEGIN = "mutation Begin($password: String!) { beginTotp(password: $password) { secret uri } }";
const CONFIRM = "mutation Confirm($code: String!) { confirmTotp(code: $code) { recoveryCodes } }";
const ACCEPT = "mutation Accept($version: Int!) { acceptTerms(version: $version) }";
const SWITCH = "mutation Switch($id: ID!) { switchTo(persona: $id) { pending } }";
const SIGN_OUT = "mutation SignOut { signOut }";

/** As the browser's own sign-in: by its cookie. */
const enter = (query, variables = {}) => ask(query, variables, null, "same-origin");

/** Where somebody came from: a path of this deployment and nothing else. */
function origin() {
  const given = new URLSearchParams(location.search).get("return") ?? "";
  if (!/^\/(?![/\\])[^\\\p{Cc}]*$/u.test(given)) return null;
  const there = new URL(given, location.origin);
  return there.origin === location.origin ? there.href : null;
}

const back = origin();
let support = null;

const told = () => (support ? paragraph(say("support", { support })) : null);

/** Do something that a wrong code, key or password is refused by, and say so in the reader's language. */
async function shown(act) {
  try {
    return await act();
  } catch (error) {
    const wrong = error instanceof Problem && error.facts.code === "INVALID_INPUT";
    throw wrong ? new Problem({ message: say("problem_INVALID_INPUT_ANSWER") }) : error;
  }
}

/** The button by which a passkey is used, where the browser knows them. */
function passkey(text, asks, answers) {
  if (!takesPasskeys) return null;
  return form(text, async () => {
    const { id, options } = Object.values(await enter(asks))[0];
    const credential = await signedBy(options);
    await shown(() => enter(answers, { id, credential }));
    await next();
  });
}

function signIn() {
  show(say("sign_in"),
    form(say("sign_in"), async ({ email, password }) => {
      await enter(SIGN_IN, { email, password });
      await next(password);
    },
    field("email", say("email"), { type: "email", autocomplete: "username" }),
    field("password", say("password"), { type: "password", autocomplete: "current-password" })),
    passkey(say("sign_in_passkey"), CHALLENGE, SIGN_IN_PASSKEY),
    make("p", {}, say("forgotten"), " ", make("a", { href: "/reset", textContent: say("request_title") })),
    told());
}

function factor() {
  show(say("factor_title"), paragraph(say("factor_text")),
    form(say("continue"), async ({ code }) => {
      await shown(() => enter(VERIFY, { code }));
      await next();
    }, field("code", say("code"), { autocomplete: "one-time-code" })),
    passkey(say("use_passkey"), FACTOR_CHALLENGE, VERIFY_PASSKEY), leave(), told());
}

/** The practice demands a second factor, and there is none: an authenticator application is set up. */
async function setUp(password) {
  if (!password) {
    show(say("set_up_title"), paragraph(say("set_up_demanded")),
      form(say("continue"), (given) => shown(() => setUp(given.password)),
        field("password", say("password"), { type: "password", autocomplete: "current-password" })), leave(), told());
    return;
  }
  const { secret, uri } = (await enter(BEGIN, { password })).beginTotp;
  show(say("set_up_title"), paragraph(say("set_up_demanded")), paragraph(say("set_up_text")),
    make("p", {}, make("code", { id: "key", textContent: secret })),
    make("p", {}, make("a", { href: uri, textContent: say("set_up_open") })),
    form(say("continue"), async ({ code }) => {
      const { recoveryCodes } = (await shown(() => enter(CONFIRM, { code }))).confirmTotp;
      show(say("codes_title"), paragraph(say("codes_text")),
        make("pre", { id: "codes", textContent: recoveryCodes.join("\n") }), form(say("continue"), () => next()));
    }, field("code", say("set_up_code"), { autocomplete: "one-time-code" })), leave(), told());
}

function accept({ version, text }) {
  const read = make("input", { type: "checkbox", id: "terms", name: "terms", required: true });
  show(say("terms_title"), paragraph(say("terms_new")), make("div", { className: "text", textContent: text }),
    form(say("continue"), async () => {
      await enter(ACCEPT, { version });
      await next();
    }, make("label", { className: "choice" }, read, say("accept_terms", { version }))), leave(), told());
}

/** Who is signed in, as whom they can act, and the way on. */
function within(personas) {
  const current = personas.find((each) => each.current);
  const go = async (persona) => {
    if (!persona.current) await enter(SWITCH, { id: persona.id });
    if (back) location.assign(back);
    else await next();
  };
  const several = personas.length > 1;
  show(say(several ? "whose_title" : "signed_in_title"),
    current ? paragraph(say("signed_in_as", current)) : null,
    ...personas.filter((each) => several && (back || !each.current))
      .map((each) => form(say("act_as", each), () => go(each))),
    !several && back ? form(say("continue"), async () => location.assign(back)) : null,
    leave());
}

function leave() {
  return form(say("sign_out"), async () => {
    await enter(SIGN_OUT);
    await next();
  });
}

/** Show what comes next, until the sign-in is complete. */
async function next(password = null, began = false) {
  const { viewer, supportContact } = await enter(WHO, { language });
  support = supportContact;
  if (viewer === null) signIn();
  else if (viewer.pending === "FACTOR") factor();
  else if (viewer.pending === "SET_UP") await setUp(password);
  else if (viewer.termsToAccept) accept(viewer.termsToAccept);
  else if (back && !began && viewer.personas.length < 2) location.assign(back);
  else within(viewer.personas);
}

try {
  await next(null, true);
} catch (error) {
  if (error instanceof Problem && error.facts.code === "UNAUTHENTICATED") signIn();
  else show(say("sign_in"), paragraph(error instanceof Problem ? error.told() : say("no_answer")));
}
