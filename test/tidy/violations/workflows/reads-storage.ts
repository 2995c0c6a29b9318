// planted: boundaries workflows-only-coordinate
// planted: lint eslint(no-restricted-imports)
import { storeName } from '../src/storage/dead-export.ts';

export const storeOfWorkflow = storeName;
