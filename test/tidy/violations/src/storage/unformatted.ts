// planted: format format
export const spaced   =   'badly';
