// SPDX-License-Identifier: MIT
//
// What the peers share: TLS by the sandbox's certificate on a port that the
// kernel chooses, and a tiny resource server beside the authorization server.
//
//	node NAME.mjs CERTIFICATE KEY
//
// prints one line of JSON, {"port": n}, when it listens, and ends when its
// standard input does.
//
// The resource is /api/v1/collections, with GET and POST; it asks the peer
// whether a bearer is good, and answers as Mono does.  GET /counts tells
// {"tokens", "effects"}, POST /revoke lets no token of before be good.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const RESOURCE = '/api/v1/collections';

const send = (response, status, value) => {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
};

const refuse = (response) => send(response, 401, {
  code: '401 Unauthorized', id: 'log_peer', message: 'No',
  errors: [{ error_code: 'invalid_token', message: 'No' }],
});

// make(origin) answers {authorize(request, response), verify(token)}.
export const serve = async (make) => {
  const [certificate, key] = process.argv.slice(2);
  const counts = { tokens: 0, effects: 0 };
  const revoked = new Set();
  const seen = new Set();
  let peer;

  const resource = async (request, response) => {
    const [, token] = /^Bearer (\S+)$/.exec(
      request.headers.authorization ?? '') ?? [];
    request.resume();
    if (!token || revoked.has(token) || !await peer.verify(token)) {
      refuse(response);
      return;
    }
    seen.add(token);
    if (request.method === 'POST') counts.effects += 1;
    send(response, request.method === 'POST' ? 201 : 200,
      { method: request.method });
  };

  const server = createServer({
    cert: readFileSync(certificate), key: readFileSync(key),
  }, async (request, response) => {
    const [path] = request.url.split('?');
    if (path === RESOURCE) {
      await resource(request, response);
    } else if (path === '/counts') {
      send(response, 200, counts);
    } else if (path === '/revoke') {
      seen.forEach((token) => revoked.add(token));
      send(response, 200, { revoked: seen.size });
    } else {
      if (path.endsWith('/token')) counts.tokens += 1;
      peer.authorize(request, response);
    }
  });

  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  peer = await make(`https://localhost:${port}`);
  process.stdout.write(`${JSON.stringify({ port })}\n`);
  process.stdin.on('end', () => process.exit(0)).resume();
};
