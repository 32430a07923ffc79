import { GraphiQL } from 'graphiql'
import { type ComponentProps, type ReactNode, useEffect, useMemo, useState } from 'react'
import { connect, createFetcher } from './fetcher.ts'
import { FIRST_QUERY } from './first-query.ts'
import { memoryStorage } from './memory-storage.ts'
import { type Session, signIn, signOut, tokenOf } from './sign-in.ts'
import { SignInBar } from './SignInBar.tsx'

// GraphiQL's type asks for error objects where JSON holds plain ones; all it does with them is print them.
type Fetcher = ComponentProps<typeof GraphiQL>['fetcher']

/** The developer's page: GraphiQL, speaking for whoever signed in above it. */
export function App({ initial }: { initial: Session | null }): ReactNode {
  const [session, setSession] = useState(initial)
  const [storage] = useState(memoryStorage)
  const token = tokenOf(session)
  const socket = useMemo(() => connect(token), [token])
  // GraphiQL asks for the schema anew when it is given another fetcher.
  const fetcher = useMemo(() => createFetcher(token, socket) as Fetcher, [token, socket])
  useEffect(() => () => void socket.dispose(), [socket])

  async function enter(email: string, password: string): Promise<void> {
    setSession(await signIn(email, password))
  }

  async function leave(): Promise<void> {
    if (session !== null) await signOut(session)
    location.reload() // the one sure way to leave nothing of what was typed and answered
  }

  return (
    <>
      <SignInBar session={session} onSignIn={enter} onSignOut={leave} />
      <main>
        <GraphiQL
          fetcher={fetcher}
          storage={storage}
          defaultQuery={FIRST_QUERY}
          inputValueDeprecation
          shouldPersistHeaders={false}
        >
          <GraphiQL.Logo>{null}</GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  )
}
