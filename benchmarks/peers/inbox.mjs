// What both peers share: the part of Bedside's schema that the inbox query uses, and its data out of Bedside's tables.
//
// The work is the product's: who the token stands for, whether the practice's plan has team chat, the conversations
// that the person takes part in, and people through loaders. It is less than the product's in what a server of one's
// own would leave out: no row-level security (it reads as the tables' owner, and confines in its WHERE clauses), no
// budgets, no access log, and participants come with their names in one statement, for nothing lies between the two.

import { createHash } from 'node:crypto'
import postgres from 'postgres'

export const sql = postgres({
  host: process.env.PEER_DATABASE_HOST,
  database: process.env.PEER_DATABASE,
  username: process.env.PEER_DATABASE_USER,
  max: 10, // connections, as many as the product's pool has
})

export const schema = `
  scalar DateTime
  enum ConversationKind { DIRECT }
  enum Role { OWNER MANAGER PRACTITIONER STAFF }
  type Member { id: ID! firstName: String! lastName: String! name: String! role: Role! }
  type Message { id: ID! body: String! sentAt: DateTime! sender: Member }
  type Conversation {
    id: ID!
    kind: ConversationKind!
    createdAt: DateTime!
    activeAt: DateTime!
    lastMessage: Message
    participants(first: Int = 20): MemberConnection!
    messages(first: Int = 20): MessageConnection!
  }
  type MemberConnection { nodes: [Member!]! }
  type MessageConnection { nodes: [Message!]! }
  type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
  type ConversationConnection { nodes: [Conversation!]! pageInfo: PageInfo! }
  type Query { conversations(first: Int = 20, after: String): ConversationConnection }
`

/** Return who a request's token stands for, or null. */
export async function actorOf(authorization) {
  const [kind, token] = (authorization ?? '').split(' ')
  if (kind.toLowerCase() !== 'bearer' || !token || token.length > 200) return null
  const hash = createHash('sha256').update(token).digest()
  const [row] = await sql`
    SELECT s.id AS session_id, s.account_id, m.role, m.practice_id, m.id AS member_id
    FROM session s JOIN account a ON a.id = s.account_id JOIN member m ON m.id = s.member_id AND m.active
    WHERE s.token_hash = ${hash} AND s.ended_at IS NULL AND s.expires_at > ${new Date()} AND NOT a.operator`
  return row ?? null
}

function refused(code, message) {
  return Object.assign(new Error(message), { extensions: { code } })
}

const TIERS = ['starter', 'enhanced', 'premium']

/** Refuse who is not signed in, and whose practice has neither the tier nor an override with team chat. */
async function requireTeamChat(actor) {
  if (!actor) throw refused('UNAUTHENTICATED', 'You are not signed in.')
  const rows = await sql`
    SELECT p.tier, p.trial_tier, p.trial_ends_at, i.kind, i.key, i.enabled, i.ends_at
    FROM plan p LEFT JOIN plan_item i ON i.practice_id = p.practice_id
    WHERE p.practice_id = ${actor.practice_id}`
  const now = new Date()
  const item = rows.find((row) => row.key === 'team_chat' && row.kind !== 'limit' && (!row.ends_at || row.ends_at > now))
  const trial = rows[0]?.trial_ends_at > now ? rows[0].trial_tier : null
  const tier = Math.max(TIERS.indexOf(rows[0]?.tier), TIERS.indexOf(trial))
  if (!(item ? item.enabled : tier >= TIERS.indexOf('premium'))) {
    throw refused('FEATURE_NOT_IN_PLAN', "Team chat is not in your practice's plan.")
  }
}

function cursorOf(conversation) {
  return Buffer.from(JSON.stringify([conversation.activeAt.getTime() * 1000, conversation.id])).toString('base64url')
}

function placeOf(cursor) {
  if (cursor == null) return [null, null]
  const [microseconds, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  return [new Date(microseconds / 1000), id]
}

function conversationOf(row) {
  return {
    id: row.id,
    kind: row.kind.toUpperCase(),
    createdAt: row.created_at,
    activeAt: row.active_at,
    lastMessage: row.message_id && { id: row.message_id, body: row.body, sentAt: row.sent_at, senderId: row.sender_id },
  }
}

/** Return a page of a person's conversations, the most recently active first. */
export async function conversations(actor, { first, after }) {
  await requireTeamChat(actor)
  const size = Math.min(first ?? 20, 100)
  const [activeAt, id] = placeOf(after)
  const rows = await sql`
    SELECT c.id, c.kind, c.created_at, c.active_at, m.id AS message_id, m.sender_id, m.body, m.sent_at
    FROM participant p JOIN conversation c ON c.id = p.conversation_id
    LEFT JOIN message m ON m.conversation_id = c.id AND m.position = c.last_position
    WHERE p.person_id = ${actor.member_id} AND p.practice_id = ${actor.practice_id}
    AND (${activeAt}::timestamptz IS NULL OR (c.active_at, c.id) < (${activeAt}, ${id}::uuid))
    ORDER BY c.active_at DESC, c.id DESC LIMIT ${size + 1}`
  const nodes = rows.slice(0, size).map(conversationOf)
  return {
    nodes,
    pageInfo: {
      hasNextPage: rows.length > size,
      hasPreviousPage: after != null,
      startCursor: nodes.length ? cursorOf(nodes[0]) : null,
      endCursor: nodes.length ? cursorOf(nodes.at(-1)) : null,
    },
  }
}

/** Return the first messages of a conversation that `conversations` has given; not part of the inbox query. */
export async function messagesOf(conversation, { first }) {
  const rows = await sql`
    SELECT id, body, sent_at, sender_id FROM message
    WHERE conversation_id = ${conversation.id} ORDER BY position LIMIT ${Math.min(first ?? 20, 100)}`
  return { nodes: rows.map((row) => ({ id: row.id, body: row.body, sentAt: row.sent_at, senderId: row.sender_id })) }
}

function memberOf(row) {
  return {
    id: row.id,
    firstName: row.first_name,
    lastName: row.last_name,
    name: `${row.first_name} ${row.last_name}`,
    role: row.role.toUpperCase(),
  }
}

/** Return the first participants of each conversation, in the order in which they joined; one page for each pair. */
export async function participantsOf(actor, pages) {
  const ids = pages.map(({ id }) => id)
  const sizes = pages.map(({ first }) => Math.min(first ?? 20, 100))
  const rows = await sql`
    SELECT w.place::int, p.person_id AS id, p.first_name, p.last_name, p.role
    FROM unnest(${ids}::uuid[], ${sizes}::int[]) WITH ORDINALITY AS w(id, size, place) CROSS JOIN LATERAL (
      SELECT p.person_id, p.joined_at, m.first_name, m.last_name, m.role
      FROM participant p JOIN member m ON m.id = p.person_id
      WHERE p.conversation_id = w.id AND p.left_at IS NULL AND m.practice_id = ${actor.practice_id}
      ORDER BY p.joined_at, p.person_id LIMIT w.size
    ) AS p ORDER BY w.place, p.joined_at, p.person_id`
  const found = pages.map(() => ({ nodes: [] }))
  for (const row of rows) found[row.place - 1].nodes.push(memberOf(row))
  return found
}

/** Return the members with these ids, null for those that the practice does not have. */
export async function membersOf(actor, ids) {
  const wanted = [...new Set(ids)]
  const rows = await sql`
    SELECT id, first_name, last_name, role FROM member
    WHERE id = ANY(${wanted}) AND practice_id = ${actor.practice_id}`
  const found = new Map(rows.map((row) => [row.id, memberOf(row)]))
  return ids.map((id) => found.get(id) ?? null)
}

export const address = { host: '127.0.0.1', port: Number(process.env.PEER_PORT) }

/** Stop when told to. */
export function stopsBy(close) {
  process.once('SIGTERM', async () => {
    await close()
    await sql.end()
    process.exit(0)
  })
}
