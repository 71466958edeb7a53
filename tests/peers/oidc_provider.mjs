// SPDX-License-Identifier: MIT
//
// oidc-provider, with one client for each way of telling its secret.  Tokens
// are opaque, or with a resource named, signed.

import { Provider } from 'oidc-provider';
import { createRemoteJWKSet, jwtVerify } from 'jose';

import { serve } from './peer.mjs';

const SECRET = 'canary p@ss:w&rd=%+/~"\\';
const AUDIENCE = 'https://api.example/';

const client = (name, method) => ({
  client_id: name,
  client_secret: SECRET,
  token_endpoint_auth_method: method,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope: 'collections outgoing_transfers',
});

await serve(async (origin) => {
  const provider = new Provider(origin, {
    clients: [
      client('post client', 'client_secret_post'),
      client('basic:client', 'client_secret_basic'),
    ],
    scopes: ['collections', 'outgoing_transfers', 'tenant_accounts'],
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'collections', audience: AUDIENCE,
          accessTokenFormat: 'jwt', accessTokenTTL: 120,
        }),
      },
    },
    ttl: { ClientCredentials: 600 },
  });
  const keys = createRemoteJWKSet(new URL(`${origin}/jwks`));

  return {
    authorize: provider.callback(),
    async verify(token) {
      const opaque = await provider.ClientCredentials.find(token);
      if (opaque) return !opaque.isExpired;
      return jwtVerify(token, keys, { issuer: origin, audience: AUDIENCE })
        .then(() => true, () => false);
    },
  };
});
