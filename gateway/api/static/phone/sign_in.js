/** Signing in and out. The token lives as long as the tab, so that a reload does not sign out. */

import { RefusedError, reason } from "./page.js";

const PEOPLE = new URL("../v1/people/", import.meta.url);
const KEPT = "gateway.person";

/** The token, or empty. */
export function kept() {
  return sessionStorage.getItem(KEPT) ?? "";
}

export function forget() {
  sessionStorage.removeItem(KEPT);
}

/** The token. Rejects with RefusedError. */
export async function signIn(user, password) {
  const response = await fetch(new URL("sign-in", PEOPLE), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user, password }),
  });
  if (!response.ok) throw new RefusedError(response.status, await reason(response));
  const { token } = await response.json();
  sessionStorage.setItem(KEPT, token);
  return token;
}

export async function signOut(token) {
  forget();
  try {
    await fetch(new URL("sign-out", PEOPLE), { method: "POST", headers: { Authorization: `Bearer ${token}` } });
  } catch (error) {
    console.warn("the gateway did not hear of it; the sign-in ends by itself", error);
  }
}
