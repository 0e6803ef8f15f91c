// Takes or refuses tokens as a listener of MSK for IAM does: a presigned URL, whose signature is
// computed again with keys that are known here (`access-key secret [session-token]` on each line of
// the file that `-Dmsk.keys` names), with its host, action, service and time.

import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.security.auth.callback.Callback;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerExtensionsValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

public class MskIamValidator implements AuthenticateCallbackHandler {
    private static final String REGION = "eu-west-1";
    private static final String HOST = "kafka." + REGION + ".amazonaws.com";
    private static final DateTimeFormatter DATE =
        DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

    private record Token(String value, String principalName, Long startTimeMs, long lifetimeMs)
        implements OAuthBearerToken {
        public Set<String> scope() {
            return Set.of();
        }
    }

    public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {}

    public void close() {}

    public void handle(Callback[] callbacks) {
        for (Callback callback : callbacks) {
            if (callback instanceof OAuthBearerValidatorCallback asked) {
                try {
                    asked.token(validate(asked.tokenValue()));
                } catch (Exception refusal) {
                    System.err.println("MSK refuses a token: " + refusal.getMessage());
                    asked.error("invalid_token", null, null);
                }
            } else if (callback instanceof OAuthBearerExtensionsValidatorCallback extensions) {
                extensions.inputExtensions().map().keySet().forEach(extensions::valid);
            }
        }
    }

    private static Token validate(String value) throws Exception {
        must(!value.contains("="), "padding");
        String url = new String(Base64.getUrlDecoder().decode(value), StandardCharsets.UTF_8);
        URI uri = new URI(url);
        must(uri.getScheme().equals("https") && uri.getHost().equals(HOST), "host " + uri.getHost());
        must(uri.getPath().equals("/"), "path");
        TreeMap<String, String> query = new TreeMap<>();
        for (String pair : uri.getRawQuery().split("&")) {
            String[] parts = pair.split("=", 2);
            String name = URLDecoder.decode(parts[0], StandardCharsets.UTF_8);
            String before = query.put(name, URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
            must(before == null, name + " twice");
        }
        must(query.remove("User-Agent") != null, "no user agent");
        must("kafka-cluster:Connect".equals(query.get("Action")), "action");
        must("AWS4-HMAC-SHA256".equals(query.get("X-Amz-Algorithm")), "algorithm");
        must("host".equals(query.get("X-Amz-SignedHeaders")), "signed headers");
        String[] scope = query.get("X-Amz-Credential").split("/", 2);
        String date = query.get("X-Amz-Date");
        String expected = date.substring(0, 8) + "/" + REGION + "/kafka-cluster/aws4_request";
        must(scope[1].equals(expected), "scope " + scope[1]);
        long seconds = Long.parseLong(query.get("X-Amz-Expires"));
        must(seconds > 0 && seconds <= 900, "expires in " + seconds);
        Instant start = Instant.from(DATE.parse(date));
        Instant end = start.plusSeconds(seconds);
        must(Instant.now().isBefore(end), "expired");
        must(Instant.now().plusSeconds(300).isAfter(start), "from the future");
        String[] keys = keysOf(scope[0]);
        String session = query.get("X-Amz-Security-Token");
        must(keys.length > 2 ? keys[2].equals(session) : session == null, "session token");
        String given = query.remove("X-Amz-Signature");
        must(signature(query, date, expected, keys[1]).equals(given), "signature of " + scope[0]);
        return new Token(value, scope[0], start.toEpochMilli(), end.toEpochMilli());
    }

    private static String[] keysOf(String id) throws Exception {
        for (String line : Files.readAllLines(Path.of(System.getProperty("msk.keys")))) {
            String[] parts = line.split(" ");
            if (parts[0].equals(id)) {
                return parts;
            }
        }
        throw new IllegalArgumentException("unknown key " + id);
    }

    private static String signature(TreeMap<String, String> query, String date, String scope, String secret)
        throws Exception {
        StringBuilder canonical = new StringBuilder();
        for (Map.Entry<String, String> pair : query.entrySet()) {
            canonical.append(canonical.isEmpty() ? "" : "&");
            canonical.append(encode(pair.getKey())).append("=").append(encode(pair.getValue()));
        }
        String request = "GET\n/\n" + canonical + "\nhost:" + HOST + "\n\nhost\n" + sha256("");
        String text = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sha256(request);
        byte[] key = ("AWS4" + secret).getBytes(StandardCharsets.UTF_8);
        for (String part : scope.split("/")) {
            key = hmac(key, part);
        }
        return HexFormat.of().formatHex(hmac(key, text));
    }

    private static String encode(String text) {
        String form = URLEncoder.encode(text, StandardCharsets.UTF_8);
        return form.replace("+", "%20").replace("*", "%2A").replace("%7E", "~");
    }

    private static String sha256(String text) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        return HexFormat.of().formatHex(digest.digest(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static byte[] hmac(byte[] key, String text) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    private static void must(boolean condition, String what) {
        if (!condition) {
            throw new IllegalArgumentException(what);
        }
    }
}
