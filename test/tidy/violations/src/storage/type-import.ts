// planted: lint typescript(consistent-type-imports)
// planted: types TS1484
import { StoreName } from './dead-export.ts';

export const defaultStore: StoreName = 'rows';
