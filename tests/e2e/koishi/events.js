// Hands OneBot events to the adapter as its transports do, and says what it makes of each.
'use strict'

const { Context, Logger } = require('koishi')
const { OneBot, OneBotBot } = require('koishi-plugin-adapter-onebot')

Logger.levels.base = 0

async function main() {
  let given = ''
  for await (const part of process.stdin) given += part
  const events = JSON.parse(given)
  const app = new Context()
  const bot = new OneBotBot(app, { selfId: String(events[0].self_id), protocol: 'ws-reverse', path: '/', advanced: {} })
  // A quoted message is asked for by its number.
  bot.getMessage = async (channelId, id) => ({ id, channelId, content: '', elements: [] })
  bot.dispatch = () => {}
  bot.guildBot = bot
  const found = []
  for (const event of events) {
    try {
      await OneBot.dispatchSession(bot, event)
      const session = await OneBot.adaptSession(bot, event)
      found.push(session ? { type: session.type, userId: session.userId, channelId: session.channelId } : null)
    } catch (error) {
      found.push({ error: String(error && error.stack) })
    }
  }
  process.stdout.write(JSON.stringify(found), () => process.exit(0))
}

main()
