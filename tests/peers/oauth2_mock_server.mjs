// SPDX-License-Identifier: MIT
//
// oauth2-mock-server.  It takes any client, and signs what it is asked for;
// the resource verifies that with the keys that it publishes.

import { randomUUID } from 'node:crypto';

import { OAuth2Server } from 'oauth2-mock-server';
import { createRemoteJWKSet, jwtVerify } from 'jose';

import { serve } from './peer.mjs';

await serve(async (origin) => {
  const server = new OAuth2Server();
  await server.issuer.keys.generate('RS256');
  server.issuer.url = origin;
  // Two tokens of one second would be the same bytes.
  server.service.on('beforeTokenSigning', (token) => {
    token.payload.jti = randomUUID();
  });
  const keys = createRemoteJWKSet(new URL(`${origin}/jwks`));

  return {
    authorize: server.service.requestHandler,
    verify: (token) => jwtVerify(token, keys, { issuer: origin })
      .then(() => true, () => false),
  };
});
