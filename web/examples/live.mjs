// Two people of a practice: one follows their conversation live, the other writes to it.
import { createClient } from 'graphql-ws'

const [url] = process.argv.slice(2)
const password = 'quiet-otter-by-the-river'

async function ask(query, variables, token) {
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  })
  const { data, errors } = await answer.json()
  if (errors) throw new Error(errors[0].message)
  return data
}

const signIn = 'mutation ($email: String!, $password: String!) { signIn(email: $email, password: $password) { token } }'
const tokenOf = async (email) => (await ask(signIn, { email, password })).signIn.token
const reader = await tokenOf('owner@premium.example')
const writer = await tokenOf('practitioner@premium.example')

const { conversations } = await ask('{ conversations { nodes { id kind cursor } } }', {}, reader)
const conversation = conversations.nodes.find((node) => node.kind === 'DIRECT')

// `after` is where the reader stands: whatever is written from there on arrives once and in order, after a break too.
const client = createClient({
  url: `${url}/graphql`.replace('http', 'ws'),
  connectionParams: { authorization: `Bearer ${reader}` },
})
const messages = client.iterate({
  query:
    'subscription ($id: ID!, $after: String) { messageAdded(conversationId: $id, after: $after) { body sender { name } } }',
  variables: { id: conversation.id, after: conversation.cursor },
})

const send =
  'mutation ($id: ID!, $body: String!, $key: String!) { sendMessage(conversationId: $id, body: $body, clientId: $key) { id } }'
await ask(send, { id: conversation.id, body: 'Room 2 is free', key: crypto.randomUUID() }, writer)

for await (const { data } of messages) {
  console.log(JSON.stringify(data))
  break
}
await client.dispose()
