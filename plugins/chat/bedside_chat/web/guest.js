// A guest's conversation: exchanges the secret behind "#", then reads, follows and writes over the public API.
import { TEXTS } from "/chat/guest-texts.js";

const MESSAGE = `id html cursor sentAt urgent automatic deletedAt sender { id name }
  attachments { id name url previewUrl } reactions { emoji personIds } acknowledgements { personId acknowledgedAt }`;
const READ = `query ($id: ID!, $before: String) { conversation(id: $id) {
  name cursor participants { nodes { id name label } pageInfo { hasNextPage } } composer { text { open message } files { open message } }
  messages(last: 30, before: $before) { nodes { ${MESSAGE} } pageInfo { hasPreviousPage startCursor } } } }`;
const FOLLOW = `subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
  ... on MessageChanged { cursor message { ${MESSAGE} } }
  ... on ParticipantChanged { cursor participant { id } }
  ... on ConversationChanged { cursor conversation { id } } } }`;
const SEND = `mutation ($id: ID!, $body: String!, $files: [ID!], $client: String!) {
  sendMessage(conversationId: $id, body: $body, uploadIds: $files, clientId: $client) { ${MESSAGE} } }`;
const UPLOAD = `mutation ($name: String!, $size: Int!, $sha: String!, $client: String!) {
  createUpload(name: $name, size: $size, sha256: $sha, clientId: $client) { id url } }`;
const SEEN = "mutation ($id: ID!, $to: String!) { markConversationRead(conversationId: $id, upTo: $to) { unread } }";
const ACKNOWLEDGE = `mutation ($id: ID!) { acknowledgeMessage(messageId: $id) { ${MESSAGE} } }`;
const REACT = `mutation ($id: ID!, $on: Boolean!) { reactToMessage(messageId: $id, emoji: "👍", on: $on) { ${MESSAGE} } }`;
const LEAVE = "mutation ($id: ID!) { leaveConversation(conversationId: $id) }";
const OVER = ["LINK_OVER", "UNAUTHENTICATED", "NOT_FOUND"];

const secret = location.hash.slice(1);
const part = (id) => document.getElementById(id);
const made = (name, properties, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const fresh = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
let language = navigator.language.startsWith("es") ? "es" : "en";
let guest = null; // token, conversationId and personId
let cursor = null; // of the last change
let first = null; // cursor of the first message shown, where there are earlier ones
let pending = null; // what is being sent: a retry is the same message
const messages = new Map();
// Who looks at the newest message goes on seeing it when something is added.
const atEnd = () => innerHeight + scrollY > document.documentElement.scrollHeight - 100;
const toEnd = () => scrollTo(0, document.documentElement.scrollHeight);
const words = (key, values = {}) =>
  (TEXTS[language][key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

function speak() {
  document.documentElement.lang = language;
  document.title = words("title");
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = words(element.dataset.text);
  }
  part("language").textContent = words("other");
  part("language").lang = language === "en" ? "es" : "en";
}

/** Return the answer of a request, or throw what the server says. */
async function request(path, options = {}) {
  const headers = { ...options.headers, ...(guest ? { authorization: `Bearer ${guest.token}` } : {}) };
  let answer;
  try {
    answer = await fetch(path, { credentials: "omit", ...options, headers });
  } catch {
    throw { message: words("failed") };
  }
  if (!answer.ok && !answer.headers.get("content-type")?.includes("graphql-response")) {
    const body = await answer.json().catch(() => ({}));
    throw body.errors?.[0] ?? { message: body.title ?? words("failed"), extensions: body };
  }
  return answer;
}

async function ask(query, variables) {
  const headers = { "content-type": "application/json", accept: "application/graphql-response+json" };
  const answer = await request("/graphql", { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await answer.json();
  if (errors) {
    throw errors[0];
  }
  return data;
}

function complain(error) {
  const { code, attemptsLeft, wayOn } = error.extensions ?? {};
  const said = TEXTS[language][code] ? [words(code)] : [error.message, wayOn];
  if (attemptsLeft > 0) {
    said.push(words("attempts", { left: attemptsLeft }));
  }
  part("problem").textContent = said.filter(Boolean).join(" ");
  part("problem").hidden = false;
  if (OVER.includes(code) || attemptsLeft === 0) {
    end();
  }
}

function end() {
  guest = null;
  part("who").hidden = part("conversation").hidden = true;
  messages.clear();
  part("messages").replaceChildren();
}

/** Do something for a button, once at a time, and say what went wrong. */
async function attempt(button, work) {
  part("problem").hidden = true;
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

async function enter(dateOfBirth) {
  try {
    const answer = await request("/chat/guest/exchange", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ secret, ...(dateOfBirth ? { dateOfBirth } : {}) }),
    });
    guest = await answer.json();
    part("practice").textContent = guest.practice;
  } catch (error) {
    if (error.extensions?.code !== "DATE_OF_BIRTH_NEEDED") {
      throw error;
    }
    part("who").hidden = false;
    part("birth").focus();
    return;
  }
  part("who").hidden = true;
  await open();
  part("conversation").hidden = false;
  toEnd();
  follow();
}

/** Show the conversation as it is; older messages come page by page. */
async function open() {
  const { conversation } = await ask(READ, { id: guest.conversationId });
  cursor = conversation.cursor;
  const { nodes, pageInfo } = conversation.participants;
  const names = nodes.filter(({ id }) => id !== guest.personId).map(({ name }) => name);
  if (pageInfo.hasNextPage) names.push("…");
  part("with").textContent = conversation.name ?? words("with", { names: names.join(", ") });
  const { text, files } = conversation.composer;
  part("body").disabled = !text.open;
  part("files").disabled = !files.open;
  part("closed").textContent = [...new Set([text.message, files.message])].filter(Boolean).join(" ");
  part("closed").hidden = text.open && files.open;
  add(conversation.messages);
  seen();
}

function add({ nodes, pageInfo }) {
  for (const message of nodes) {
    show(message);
  }
  first = pageInfo.hasPreviousPage ? pageInfo.startCursor : null;
  part("earlier").hidden = !first;
  part("none").hidden = messages.size > 0;
}

async function earlier() {
  const { conversation } = await ask(READ, { id: guest.conversationId, before: first });
  add(conversation.messages);
}

/** Show a message where its time puts it, or as it is now. */
function show(message) {
  const item = drawn(message);
  const before = messages.get(message.id);
  messages.set(message.id, { message, item });
  part("none").hidden = true;
  if (before) {
    before.item.replaceWith(item);
    return;
  }
  const later = [...messages.values()].filter(({ message: other }) => other.sentAt > message.sentAt);
  const next = later.sort((one, two) => (one.message.sentAt < two.message.sentAt ? -1 : 1))[0];
  part("messages").insertBefore(item, next?.item ?? null);
}

function drawn(message) {
  const mine = message.sender?.id === guest.personId;
  const name = message.automatic ? words("automatic") : mine ? words("you") : message.sender?.name ?? "";
  const when = new Date(message.sentAt).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
  const item = made("li", { className: mine ? "mine" : "" }, made("p", { className: "by" }, `${name} · ${when}`));
  if (message.deletedAt) {
    item.append(made("p", {}, words("deleted")));
    return item;
  }
  if (message.html) {
    const text = made("div", { className: "text", innerHTML: message.html }); // the server has made it safe to show
    text.querySelectorAll("a").forEach((link) => Object.assign(link, { target: "_blank" }));
    item.append(text);
  }
  item.append(...message.attachments.map(attached));
  if (message.urgent) {
    item.classList.add("urgent");
    item.append(made("p", { className: "by" }, words("urgent")));
  }
  if (message.acknowledgements.some((each) => each.personId === guest.personId && !each.acknowledgedAt)) {
    item.append(pressed(words("acknowledge"), async () => {
      show((await ask(ACKNOWLEDGE, { id: message.id })).acknowledgeMessage);
    }));
  }
  const others = message.reactions.filter(({ emoji }) => emoji !== "👍");
  if (others.length) {
    item.append(made("p", {}, others.map(({ emoji, personIds }) => `${emoji} ${personIds.length}`).join("  ")));
  }
  const likes = message.reactions.find(({ emoji }) => emoji === "👍")?.personIds ?? [];
  const like = pressed(`👍 ${likes.length || ""}`, async () => {
    show((await ask(REACT, { id: message.id, on: !likes.includes(guest.personId) })).reactToMessage);
  });
  like.ariaLabel = `${words("like")} ${likes.length || ""}`;
  like.ariaPressed = String(likes.includes(guest.personId));
  like.classList.add("like");
  item.append(like);
  return item;
}

function pressed(text, work) {
  const button = made("button", { type: "button", className: "plain" }, text);
  button.addEventListener("click", () => attempt(button, work));
  return button;
}

/** A file at a message: its bytes need the bearer, so they are fetched and shown out of memory. */
function attached(file) {
  const button = pressed(file.name ?? "", async () => {
    const address = URL.createObjectURL(await (await request(file.url)).blob());
    made("a", { href: address, download: file.name ?? "" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  });
  if (file.previewUrl) {
    request(file.previewUrl).then((answer) => answer.blob()).then((blob) => {
      const image = made("img", { src: URL.createObjectURL(blob), alt: "" });
      const following = atEnd();
      image.addEventListener("load", () => {
        URL.revokeObjectURL(image.src);
        if (following) {
          toEnd();
        }
      });
      button.prepend(image);
    }).catch(() => {});
  }
  return button;
}

function seen() {
  const last = part("messages").lastElementChild;
  const message = [...messages.values()].find(({ item }) => item === last)?.message;
  if (message && document.visibilityState === "visible") {
    ask(SEEN, { id: guest.conversationId, to: message.cursor }).catch(() => {});
  }
}

/** Follow live; after a break it goes on from the cursor, and an ended access is told. */
function follow() {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/graphql`, "graphql-transport-ws");
  const say = (message) => socket.send(JSON.stringify(message));
  let refused = null;
  socket.onopen = () => say({ type: "connection_init", payload: { authorization: `Bearer ${guest?.token}` } });
  socket.onmessage = ({ data }) => {
    const { type, payload } = JSON.parse(data);
    if (type === "connection_ack") {
      say({ id: "1", type: "subscribe", payload: { query: FOLLOW, variables: { id: guest.conversationId, after: cursor } } });
    } else if (type === "ping") {
      say({ type: "pong" });
    } else if (type === "error") {
      refused = payload[0];
      socket.close();
    } else if (type === "next" && guest) {
      const event = payload.data.conversationEvents;
      cursor = event.cursor;
      if (event.message) {
        const following = atEnd();
        show(event.message);
        seen();
        if (following) {
          toEnd();
        }
      }
    }
  };
  socket.onclose = () => {
    if (guest) {
      setTimeout(() => guest && attempt(null, async () => {
        if (OVER.includes(refused?.extensions?.code)) {
          throw refused;
        }
        await open();
        follow();
      }), 2000);
    }
  };
}

async function uploaded(file) {
  const bytes = await file.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const sha = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const { createUpload: upload } = await ask(UPLOAD, { name: file.name, size: file.size, sha, client: fresh() });
  await request(upload.url, { method: "PUT", body: bytes });
  return upload.id;
}

async function send() {
  const body = part("body").value;
  const chosen = [...part("files").files];
  if (!body.trim() && !chosen.length) {
    return;
  }
  if (pending?.body !== body || pending.chosen.join() !== chosen.map(({ name }) => name).join()) {
    pending = { body, chosen: chosen.map(({ name }) => name), files: null, client: fresh() };
  }
  pending.files ??= await Promise.all(chosen.map(uploaded));
  const { id, client } = { id: guest.conversationId, client: pending.client };
  show((await ask(SEND, { id, body, files: pending.files, client })).sendMessage);
  pending = null;
  part("write").reset();
  toEnd();
}

async function leave() {
  await ask(LEAVE, { id: guest.conversationId });
  end();
  part("told").textContent = words("left");
  part("told").hidden = false;
}

part("language").addEventListener("click", () => {
  language = language === "en" ? "es" : "en";
  speak();
  for (const { message } of messages.values()) {
    show(message);
  }
});
part("who").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.submitter, () => enter(part("birth").value));
});
part("write").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.submitter, send);
});
part("earlier").addEventListener("click", ({ target }) => attempt(target, earlier));
part("leave").addEventListener("click", () => part("sure").showModal());
part("sure").addEventListener("close", () => part("sure").returnValue === "yes" && attempt(part("leave"), leave));
document.addEventListener("visibilitychange", () => guest && seen());
speak();
attempt(null, secret ? () => enter(null) : () => { throw { extensions: { code: "NO_LINK" } }; });
