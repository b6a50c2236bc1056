/** The addresses that parts got, in the place of those that the settings asked for. */

import { type Config, withConsole } from "../config.ts";

/** Later roles and restarted ones use the real addresses, so that a port that was 0 stays what it became. */
export function withAddresses(config: Config, addresses: Record<string, string>): Config {
  const { gateway_url: gatewayUrl, task_service_url: connectUrl, grpc_url: grpcUrl } = addresses;
  const { console_url: consoleUrl, otlp_url: otlpUrl } = addresses;
  const taskServiceUrl = config.rpc === "grpc" ? grpcUrl : connectUrl;
  return {
    ...(otlpUrl === undefined ? config : withConsole(config, otlpUrl)),
    ...(consoleUrl !== undefined && { consoleListen: { ...config.consoleListen, port: portOf(consoleUrl) } }),
    ...(otlpUrl !== undefined && { otlpListen: { ...config.otlpListen, port: portOf(otlpUrl) }, mayMoveOtlp: false }),
    ...(gatewayUrl !== undefined && { gatewayListen: { ...config.gatewayListen, port: portOf(gatewayUrl) } }),
    ...(connectUrl !== undefined && {
      taskServiceListen: { ...config.taskServiceListen, port: portOf(connectUrl) },
    }),
    ...(grpcUrl !== undefined && config.grpcListen && { grpcListen: { ...config.grpcListen, port: portOf(grpcUrl) } }),
    ...(taskServiceUrl !== undefined && { taskServiceUrl: config.taskServiceUrl ?? taskServiceUrl }),
  };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
