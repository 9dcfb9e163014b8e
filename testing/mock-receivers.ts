// Receivers of deliveries that answer without a network.

import type { Mocks } from '../outbound/attempt.ts';
import type { Answer, OutboundRequest } from '../outbound/transport.ts';

/** What a mocked receiver answers, and to what. */
export interface MockDeliveryOptions {
  /**
   * The method that it answers to.
   *
   * @default any
   */
  readonly method?: string;
  readonly status: number;
  /** @default none */
  readonly headers?: Readonly<Record<string, string>>;
  /** @default '' */
  readonly body?: string;
}

/** A request that a mocked receiver got. */
export interface ReceivedRequest {
  readonly url: string;
  readonly method: string;
  /** As they are sent, with the values of secrets, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The `webhook-id`: the same for every attempt to deliver the event. */
  readonly id: string;
}

/** A receiver that is mocked. */
export interface MockedReceiver {
  /** What it has got so far, oldest first. */
  readonly requests: readonly ReceivedRequest[];
}

interface Mock extends MockDeliveryOptions {
  readonly url: string;
  readonly requests: ReceivedRequest[];
}

export class MockReceivers implements Mocks {
  readonly #mocks: Mock[] = [];

  /** Takes the place of those before it for the same url and method. */
  add(url: string, options: MockDeliveryOptions): MockedReceiver {
    const mock = { ...options, url, requests: [] };
    this.#mocks.unshift(mock);
    return mock;
  }

  find(request: OutboundRequest): Answer | undefined {
    const { url, method, id } = request;
    const found = this.#mocks.find(
      (mock) => mock.url === url && (mock.method ?? method).toUpperCase() === method.toUpperCase(),
    );
    if (found === undefined) return undefined;
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
    const body = new TextDecoder().decode(request.body);
    found.requests.push({ url, method, headers, body, id });
    const { status, headers: answered, body: text } = found;
    return { status, ...(answered && { headers: answered }), ...(text && { body: text }) };
  }
}
