// A token server, and a small API behind its tokens. Prints `ready PORT` when it listens.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import http from 'node:http';
import Provider from 'oidc-provider';

const { ID: id, SECRET: secret } = process.env;
const client = (client_id, method) => ({
  client_id,
  client_secret: secret,
  token_endpoint_auth_method: method,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});
const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
const given = [];

function resource(provider) {
  const reply = (response, status, body, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
  return async (request, response) => {
    const url = new URL(request.url, provider.issuer);
    if (url.pathname === '/given') return reply(response, 200, given.length);
    if (url.pathname === '/end-tokens') {
      for (const token of given) await (await provider.ClientCredentials.find(token))?.destroy();
      return reply(response, 200, {});
    }
    const [, value] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    const token = value && (await provider.ClientCredentials.find(value));
    if (!token) return reply(response, 401, {}, { 'www-authenticate': 'Bearer error="invalid_token"' });
    if (token.scope !== 'hr.read') {
      return reply(response, 403, {}, { 'www-authenticate': 'Bearer error="insufficient_scope", scope="hr.read"' });
    }
    const from = Number(url.searchParams.get('from') ?? 0);
    const items = [1, 2, 3, 4, 5].slice(from, from + 2).map((n) => ({ n, client: token.clientId }));
    const next = from + 2 < 5 ? { link: `</api/staff?from=${from + 2}>; rel="next"` } : {};
    return reply(response, 200, items, next);
  };
}

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [client(id, 'client_secret_basic'), client('poster', 'client_secret_post')],
    cookies: { keys: [randomBytes(32).toString('hex')] },
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    jwks: { keys: [key] },
    scopes: ['hr.read'],
    ttl: { ClientCredentials: 3600 },
  });
  provider.on('client_credentials.saved', (token) => given.push(token.jti));
  const [tokens, api] = [provider.callback(), resource(provider)];
  server.on('request', (request, response) => {
    const own = /^\/(api|given|end-tokens)\b/.test(request.url);
    return own ? api(request, response) : tokens(request, response);
  });
  console.log(`ready ${port}`);
});
