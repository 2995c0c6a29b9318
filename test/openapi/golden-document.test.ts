/** What clients see, as a file: a change of the API is a diff to read. `npm run golden` writes it. */
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { apiDocument } from '../harness/api-document.ts';

test('the API document is the golden one', async () => {
  const text = stringify(apiDocument, { aliasDuplicateObjects: false, lineWidth: 0, sortMapEntries: false });
  await expect(text).toMatchFileSnapshot('openapi.yaml');
});
