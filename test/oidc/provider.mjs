// The provider. It prints the port that it listens on, and obeys the lines of its standard input: "serve PLAIN SECURE…"
// has it know the program as a client, by the addresses of its entry points; "down" and "up" close and open its port;
// "ban NAME" lets somebody in no more.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

let handle = (request, answer) => answer.writeHead(503).end();
const server = createServer((request, answer) => handle(request, answer));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
await new Promise((resolve) => server.once('listening', resolve));
const { port } = server.address();
const banned = new Set();

function serve(plain, ...secure) {
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{
      client_id: 'shop',
      client_secret: 'a client secret of more than 32 bytes: &+%',
      redirect_uris: secure.map((origin) => `${origin}/callback`),
      post_logout_redirect_uris: secure.map((origin) => `${origin}/bye`),
      backchannel_logout_uri: `${plain}/backchannel`,
      backchannel_logout_session_required: true,
      grant_types: ['authorization_code', 'refresh_token'],
    }],
    cookies: { keys: ['a key of the provider'] },
    features: { backchannelLogout: { enabled: true } }, // and forms to sign in with, which are on by default
    ttl: { AccessToken: 1, IdToken: 60, Session: 600, Grant: 600, RefreshToken: 600, Interaction: 600 },
    scopes: ['openid', 'offline_access'],
    fetch: (url, { dispatcher, ...options }) => fetch(url, options), // its own refuses addresses such as 127.0.0.1
    pkce: { required: () => true },
    findAccount: (ctx, id) => (banned.has(id) ? undefined : { accountId: id, claims: () => ({ sub: id }) }),
    renderError: (ctx, out) => { ctx.type = 'text'; ctx.body = JSON.stringify(out); },
  });
  provider.on('backchannel.error', (ctx, error) => console.error(`back-channel logout: ${error.stack} ${error.cause}`));
  handle = provider.callback();
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...values] = line.split(' ');
  switch (command) {
    case 'serve':
      serve(...values);
      break;
    case 'ban':
      banned.add(values[0]);
      break;
    case 'down':
      await new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
      break;
    case 'up':
      await new Promise((resolve) => { server.listen(port, '127.0.0.1', resolve); });
      break;
  }
  console.log('done');
}
