import 'graphiql/setup-workers/vite';
import 'graphiql/graphiql.css';
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-explorer/style.css';
import './playground.css';

import { createRoot } from 'react-dom/client';
import { Playground } from './playground.jsx';

createRoot(document.getElementById('root')).render(<Playground />);
