// Slack, Discord, Twilio, Zoom, Meta and Microsoft Graph.

import { NO_HEADERS, toForm, toSeconds, type Fresh, type Samples } from './sample.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const DAY_MS = 86_400_000;

export const slack: Samples = {
  headers: (type) => (/^slash_command|^block_actions/.test(type) ? FORM : {}),
  bodies: {
    app_mention: ({ id, at }) => ({
      token: 'ZZZZZZWSxiZZZ2yIvs3peJ',
      team_id: 'T123ABC456',
      api_app_id: 'A123ABC456',
      event: {
        type: 'app_mention',
        user: 'U123ABC456',
        text: 'What is the hour of the pearl, <@U0LAN0Z89>?',
        ts: '1515449522.000016',
        channel: 'C123ABC456',
      },
      type: 'event_callback',
      event_id: id,
      event_time: toSeconds(at),
    }),
    slash_command: ({ id }) =>
      toForm({
        token: 'gIkuvaNzQIHg97ATvDxqgjtO',
        team_id: 'T0001',
        team_domain: 'example',
        channel_id: 'C2147483705',
        user_id: 'U2147483697',
        command: '/weather',
        text: '94070',
        response_url: 'https://hooks.slack.com/commands/1234/5678',
        trigger_id: id,
      }),
    block_actions: ({ id }) =>
      toForm({
        payload: JSON.stringify({
          type: 'block_actions',
          user: { id: 'U2147483697', username: 'example' },
          team: { id: 'T0001' },
          trigger_id: id,
          actions: [{ type: 'button', action_id: 'approve', value: 'A-17' }],
          response_url: 'https://hooks.slack.com/actions/T0001/1/2',
        }),
      }),
    url_verification: () => ({
      token: 'Jhj5dZrVaK7ZwHHjRyZWjbDl',
      challenge: '3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P',
      type: 'url_verification',
    }),
  },
};

export const discord: Samples = {
  headers: NO_HEADERS,
  bodies: {
    application_command: ({ id }) => ({
      id,
      application_id: '845027738276462632',
      type: 2,
      version: 1,
      token: 'A_UNIQUE_TOKEN',
      guild_id: '290926798626357999',
      channel_id: '645027906669510667',
      member: { user: { id: '53908232506183680', username: 'mason' } },
      data: { id: '771825006014889984', type: 1, name: 'cardsearch' },
    }),
    application_authorized: ({ at }) => ({
      version: 1,
      application_id: '1234560123453231555',
      type: 1,
      event: {
        type: 'APPLICATION_AUTHORIZED',
        timestamp: at,
        data: { integration_type: 1, scopes: ['applications.commands'] },
      },
    }),
    ping: ({ id }) => ({
      id,
      application_id: '845027738276462632',
      type: 1,
      version: 1,
      token: 'T',
    }),
  },
};

export const twilio: Samples = {
  headers: (_type, { id }) => ({ ...FORM, 'i-twilio-idempotency-token': id }),
  bodies: {
    'message.received': () =>
      toForm({
        MessageSid: 'SM1f0e8ae6ade43cb3c0ce4525424e404f',
        AccountSid: 'ACae6e420f425248d6a26948c17a9e2acf',
        From: '+15017122661',
        To: '+15558675310',
        Body: 'Ahoy!',
        NumMedia: '0',
        SmsStatus: 'received',
      }),
    'message.delivered': () =>
      toForm({
        MessageSid: 'SM1f0e8ae6ade43cb3c0ce4525424e404f',
        AccountSid: 'ACae6e420f425248d6a26948c17a9e2acf',
        From: '+15558675310',
        To: '+15017122661',
        MessageStatus: 'delivered',
      }),
    'call.ringing': () =>
      toForm({
        CallSid: 'CA1234567890ABCDE12345678901234567',
        AccountSid: 'ACae6e420f425248d6a26948c17a9e2acf',
        From: '+14158675309',
        To: '+18005551212',
        CallStatus: 'ringing',
        Direction: 'inbound',
      }),
  },
};

export const zoom: Samples = {
  headers: NO_HEADERS,
  bodies: {
    'meeting.started': (fresh) =>
      zoomEvent(fresh, 'meeting.started', { id: '1234567890', topic: 'My Meeting', type: 2 }),
    'meeting.ended': (fresh) =>
      zoomEvent(fresh, 'meeting.ended', { id: '1234567890', topic: 'My Meeting', type: 2 }),
    'endpoint.url_validation': ({ at }) => ({
      payload: { plainToken: 'qgg8vlvZRS6UYooatFL8Aw' },
      event_ts: at.getTime(),
      event: 'endpoint.url_validation',
    }),
  },
};

function zoomEvent({ id, at }: Fresh, event: string, object: object): unknown {
  return {
    event,
    event_ts: at.getTime(),
    // Zoom's events have no id; the meeting's makes another of each.
    payload: { account_id: 'AAAAAABBBB', object: { ...object, uuid: id, start_time: at } },
  };
}

export const meta: Samples = {
  headers: NO_HEADERS,
  bodies: {
    'whatsapp_business_account.messages': ({ id, at }) => ({
      object: 'whatsapp_business_account',
      entry: [
        {
          id: '102290129340398',
          changes: [
            {
              field: 'messages',
              value: {
                messaging_product: 'whatsapp',
                metadata: { display_phone_number: '15550783881', phone_number_id: '1065401' },
                contacts: [{ profile: { name: 'Sheena Nelson' }, wa_id: '16505551234' }],
                messages: [
                  {
                    from: '16505551234',
                    id: `wamid.${id}`,
                    timestamp: String(toSeconds(at)),
                    type: 'text',
                    text: { body: 'Does it come in another colour?' },
                  },
                ],
              },
            },
          ],
        },
      ],
    }),
    'page.messaging': ({ id, at }) => ({
      object: 'page',
      entry: [
        {
          id: '682498302938465',
          time: at.getTime(),
          messaging: [
            {
              sender: { id: '5764728380' },
              recipient: { id: '682498302938465' },
              timestamp: at.getTime(),
              message: { mid: id, text: 'hello' },
            },
          ],
        },
      ],
    }),
  },
};

export const microsoftGraph: Samples = {
  headers: NO_HEADERS,
  bodies: {
    created: (fresh) => ({ value: [notification(fresh, { changeType: 'created' })] }),
    updated: (fresh) => ({ value: [notification(fresh, { changeType: 'updated' })] }),
    reauthorizationRequired: (fresh) => ({
      value: [notification(fresh, { lifecycleEvent: 'reauthorizationRequired' })],
    }),
  },
};

function notification({ id, at }: Fresh, kind: object): unknown {
  return {
    id,
    subscriptionId: '76222963-cc7b-42d2-882d-8aaa69cb2ba3',
    subscriptionExpirationDateTime: new Date(at.getTime() + DAY_MS),
    tenantId: '84bd8158-6d4d-4958-8b9f-9d6445542f95',
    ...kind,
    resource: 'users/44a6c1d5/messages/AAMkADM',
    resourceData: {
      '@odata.type': '#Microsoft.Graph.Message',
      '@odata.id': 'Users/44a6c1d5/Messages/AAMkADM',
      id: 'AAMkADM',
    },
  };
}
