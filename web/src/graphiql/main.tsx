import { createRoot } from 'react-dom/client'
import 'graphiql/style.css'
import './graphiql.css'
import { App } from './App.tsx'
import { sessionOfCookie } from './sign-in.ts'

const root = document.getElementById('root')
if (root === null) throw new Error('graphiql.html has no #root')
createRoot(root).render(<App initial={await sessionOfCookie()} />)
