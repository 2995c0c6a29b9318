import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { z } from 'zod';
import { openApiDocument } from '../openapi.ts';
import { refuse } from '../refusal.ts';
import { pathPart, type Route } from '../route.ts';

const require = createRequire(import.meta.url);
const { version: uiVersion } = require('swagger-ui-dist/package.json') as { version: string };

/** The API document, and a page that shows it. Both need no credential: they tell nothing of any environment. */
export function documentRoutes(described: readonly Route[]): readonly Route[] {
  let text: string | null = null;
  const documentRoute: Route = {
    method: 'GET',
    path: '/openapi.json',
    crossOrigin: false,
    credential: 'none',
    operation: {
      id: 'api_document',
      tag: 'server',
      summary: 'This document',
      answers: { 200: { description: 'OpenAPI 3.1.', schema: z.looseObject({ openapi: z.literal('3.1.0') }) } },
    },
    async answer(exchange) {
      // What a process serves never changes.
      text ??= JSON.stringify(openApiDocument(routes));
      exchange.type = 'application/json';
      exchange.body = text;
    },
  };
  const routes = [...described, documentRoute, pageRoute, assetRoute()];
  return routes.slice(described.length);
}

/** Nothing but what this server sends: the page works without any network, and no script of another origin can run. */
const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Perdure API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css?v=${uiVersion}">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js?v=${uiVersion}"></script>
<script src="docs/start.js?v=${uiVersion}"></script>
</body>
</html>
`;

const pageRoute: Route = {
  method: 'GET',
  path: '/docs',
  crossOrigin: false,
  credential: 'none',
  operation: {
    id: 'docs_page',
    tag: 'server',
    summary: 'This document, for people',
    answers: { 200: { description: 'A page.', type: 'text/html', schema: z.string() } },
  },
  async answer(exchange) {
    exchange.set('Content-Security-Policy', contentPolicy);
    exchange.type = 'text/html';
    exchange.body = page;
  },
};

/** No badge of somebody else's validator, and keys are forgotten with the page. */
const startScript = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null });\n`;

interface Asset {
  readonly type: string;
  readonly read: () => Promise<Buffer>;
}

const packaged = (name: string, type: string): Asset => ({
  type,
  read: () => readFile(require.resolve(`swagger-ui-dist/${name}`)),
});

const assets: Readonly<Record<string, Asset>> = {
  'swagger-ui.css': packaged('swagger-ui.css', 'text/css'),
  'swagger-ui-bundle.js': packaged('swagger-ui-bundle.js', 'text/javascript'),
  'start.js': { type: 'text/javascript', read: async () => Buffer.from(startScript) },
};

/** Compressed once in a process: 1.9 MB leave as 0.5. */
function assetRoute(): Route {
  const compressed = new Map<string, Promise<Buffer>>();
  return {
    method: 'GET',
    path: '/docs/:asset',
    crossOrigin: false,
    credential: 'none',
    operation: {
      id: 'docs_asset',
      tag: 'server',
      summary: 'A file of the page',
      answers: {
        200: {
          description: 'The file; the page names it with its version, so it can be kept for ever.',
          type: 'text/*',
          schema: z.string(),
        },
      },
      refusals: ['path_unknown'],
    },
    async answer(exchange) {
      const name = pathPart(exchange, 'asset');
      const asset = Object.hasOwn(assets, name) ? assets[name] : undefined;
      if (asset === undefined) return refuse({ code: 'path_unknown' });
      exchange.type = asset.type;
      exchange.set('Cache-Control', 'public, max-age=31536000, immutable');
      exchange.vary('Accept-Encoding');
      if (exchange.acceptsEncodings('gzip', 'identity') !== 'gzip') {
        exchange.body = await asset.read();
        return;
      }
      const bytes = compressed.get(name) ?? asset.read().then(compress);
      compressed.set(name, bytes);
      exchange.set('Content-Encoding', 'gzip');
      exchange.body = await bytes;
    },
  };
}

const compress = (bytes: Buffer): Promise<Buffer> => promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION });
