// planted: boundaries temporal-implements-ports
import { storeName } from '../storage/dead-export.ts';

export const storeOfTemporal = storeName;
