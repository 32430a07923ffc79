// GraphQL Yoga on Node's own HTTP server, with its caches of parsed and validated documents (on by default).

import { createServer } from 'node:http'
import DataLoader from 'dataloader'
import { createSchema, createYoga } from 'graphql-yoga'
import { GraphQLScalarType } from 'graphql'
import { actorOf, address, conversations, membersOf, messagesOf, participantsOf, schema, stopsBy } from './inbox.mjs'

const yoga = createYoga({
  logging: false,
  graphiql: false,
  schema: createSchema({
    typeDefs: schema,
    resolvers: {
      DateTime: new GraphQLScalarType({ name: 'DateTime', serialize: (value) => value.toISOString() }),
      Query: { conversations: (_, args, context) => conversations(context.actor, args) },
      Conversation: {
        participants: ({ id }, { first }, context) => context.participants.load({ id, first }),
        messages: messagesOf,
      },
      Message: { sender: (message, _, context) => context.members.load(message.senderId) },
    },
  }),
  context: async ({ request }) => {
    const actor = await actorOf(request.headers.get('authorization'))
    return {
      actor,
      participants: new DataLoader((pages) => participantsOf(actor, pages)),
      members: new DataLoader((ids) => membersOf(actor, ids)),
    }
  },
})

const server = createServer(yoga)
server.listen(address)
stopsBy(() => new Promise((resolve) => {
  server.close(resolve)
  server.closeAllConnections()
}))
