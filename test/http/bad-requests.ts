/** Requests that no well-behaved client sends, as bytes on the wire: for every route, and for none. */
import { type BadRequest, makerOf, type Targets } from './bad-requests/bad-request.ts';
import { badBodies, badFields } from './bad-requests/bodies.ts';
import { badCredentials, badFraming, badHeaders } from './bad-requests/headers.ts';
import { badPaths, badQueries } from './bad-requests/targets.ts';

export function badRequests(targets: Targets): readonly BadRequest[] {
  const make = makerOf(targets);
  return [
    ...badBodies(targets, make),
    ...badFields(targets, make),
    ...badPaths(targets, make),
    ...badQueries(make),
    ...badHeaders(targets, make),
    ...badCredentials(targets, make),
    ...badFraming(targets, make),
  ];
}
