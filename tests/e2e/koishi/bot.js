// A Koishi bot as a user would write one; how it is connected is in its environment.
'use strict'

const { Context, Logger, h } = require('koishi')
const { OneBotBot } = require('koishi-plugin-adapter-onebot')
const Http = require('@koishijs/plugin-http').default
const Server = require('@koishijs/plugin-server').default

const { MODE, PORT, BRIDGE, SELF_ID, TOKEN, PICTURE_BASE64 } = process.env

Logger.levels.base = 3
const app = new Context()

app.plugin(Http)
if (MODE === 'ws-reverse') app.plugin(Server, { host: '127.0.0.1', port: +PORT })

app.plugin(OneBotBot, {
  selfId: SELF_ID,
  token: TOKEN,
  protocol: MODE,
  ...(MODE === 'ws' ? { endpoint: `ws://${BRIDGE}/` } : { path: '/onebot' }),
})

app.middleware((session, next) => {
  const text = session.stripped.content.trim()
  if (text.startsWith('/echo ')) return text.slice('/echo '.length)
  if (text === '/pic') return ['here', h.image(`data:image/png;base64,${PICTURE_BASE64}`)]
  if (session.quote) {
    const quoted = h.select(session.quote.elements, 'text').map(e => e.attrs.content).join('')
    return [h.quote(session.messageId), `you quoted: ${quoted.trim()}`]
  }
  return next()
})

app.start()
