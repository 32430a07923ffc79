import { type ReactNode, type SubmitEvent, useState } from 'react'
import type { Session } from './sign-in.ts'

interface Props {
  session: Session | null
  /** Either rejects with an Error whose message is shown. */
  onSignIn: (email: string, password: string) => Promise<void>
  onSignOut: () => Promise<void>
}

/** The strip above GraphiQL: says who is signed in, and lets one sign in and out. */
export function SignInBar({ session, onSignIn, onSignOut }: Props): ReactNode {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')

  async function attempt(action: () => Promise<void>): Promise<void> {
    setBusy(true)
    setProblem('')
    try {
      await action()
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error))
    } finally {
      setBusy(false)
    }
  }

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault()
    const fields = new FormData(event.currentTarget)
    void attempt(() => onSignIn(fields.get('email') as string, fields.get('password') as string))
  }

  return (
    <header className="bar">
      <h1>Bedside API</h1>
      <p role="alert" className="problem">
        {problem}
      </p>
      <p role="status">{describe(session)}</p>
      {session === null ? (
        <form aria-label="Sign in" onSubmit={submit}>
          <label>
            E-mail
            <input name="email" type="email" autoComplete="username" required />
          </label>
          <label>
            Password
            <input name="password" type="password" autoComplete="current-password" required />
          </label>
          <button disabled={busy}>Sign in</button>
        </form>
      ) : (
        <button type="button" disabled={busy} onClick={() => void attempt(onSignOut)}>
          Sign out
        </button>
      )}
    </header>
  )
}

function describe(session: Session | null): string {
  if (session === null) return ''
  return session.by === 'form' ? `Signed in as ${session.email}` : 'Signed in by this browser’s cookie'
}
