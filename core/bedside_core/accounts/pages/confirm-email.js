// A new address is confirmed by the button, never by opening the page: mail scanners open every link.

import { ask, form, over, paragraph, Problem, say, secret, show, signIn } from "./common.js";

const CONFIRM = "mutation Confirm($secret: String!) { confirmEmail(secret: $secret) { email } }";

show(say("confirm_title"), paragraph(say("confirm_text")), form(say("confirm"), async () => {
  try {
    const { email } = (await ask(CONFIRM, { secret })).confirmEmail;
    signIn(say("confirmed_title"), say("confirmed_text", { email }));
  } catch (error) {
    if (!(error instanceof Problem) || error.facts.code !== "LINK_OVER") throw error;
    over(error);
  }
}));
