// Takes or refuses passwords of PLAIN by a file that is read for each login: `user password` on each
// line of the file that `-Dplain.passwords` names. Kafka's own has them in its configuration.

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.NameCallback;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.plain.PlainAuthenticateCallback;

public class PlainPasswords implements AuthenticateCallbackHandler {
    public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {}

    public void close() {}

    public void handle(Callback[] callbacks) throws java.io.IOException {
        String user = null;
        for (Callback callback : callbacks) {
            if (callback instanceof NameCallback name) {
                user = name.getDefaultName();
            } else if (callback instanceof PlainAuthenticateCallback asked) {
                String line = user + " " + new String(asked.password());
                Path file = Path.of(System.getProperty("plain.passwords"));
                asked.authenticated(Files.readAllLines(file).contains(line));
            }
        }
    }
}
