// The Terms of Use, for anybody to read before accepting them; ?version=1 shows an older version.

import { ask, language, make, over, say, show } from "./common.js";

const TERMS = `query Terms($version: Int, $language: NotificationLanguage!) {
  terms(version: $version) { version publishedAt text(language: $language) }
}`;

try {
  const wanted = new URLSearchParams(location.search).get("version");
  const { terms } = await ask(TERMS, { version: wanted ? Number(wanted) : null, language });
  const date = new Date(terms.publishedAt).toLocaleDateString(document.documentElement.lang, { dateStyle: "long", timeZone: "UTC" });
  show(say("terms_title"),
    make("p", { className: "hint", textContent: say("terms_version", { version: terms.version, date }) }),
    make("div", { className: "text", textContent: terms.text }));
} catch (error) {
  over(error);
}
