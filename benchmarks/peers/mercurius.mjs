// Fastify with Mercurius, its JIT on, as its documentation recommends for production.

import Fastify from 'fastify'
import mercurius from 'mercurius'
import { GraphQLScalarType } from 'graphql'
import { actorOf, address, conversations, membersOf, messagesOf, participantsOf, schema, stopsBy } from './inbox.mjs'

const app = Fastify()

app.register(mercurius, {
  schema,
  jit: 1,
  context: async (request) => ({ actor: await actorOf(request.headers.authorization) }),
  resolvers: {
    DateTime: new GraphQLScalarType({ name: 'DateTime', serialize: (value) => value.toISOString() }),
    Query: { conversations: (_, args, context) => conversations(context.actor, args) },
    Conversation: { messages: messagesOf },
  },
  loaders: {
    Conversation: {
      participants: (queries, context) =>
        participantsOf(context.actor, queries.map(({ obj, params }) => ({ id: obj.id, first: params.first }))),
    },
    Message: {
      sender: (queries, context) => membersOf(context.actor, queries.map(({ obj }) => obj.senderId)),
    },
  },
})

stopsBy(() => app.close())
await app.listen(address)
