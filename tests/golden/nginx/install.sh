# Debian's nginx with a site as people have it: TLS, a drop-in, an upstream, scratch below the document root, a timer of www-data.
set -e
mkdir -p /srv/shop/cache /etc/ssl/shop /etc/systemd/system/nginx.service.d /usr/local/sbin
echo '<h1>shop</h1>' >/srv/shop/index.html
touch -d '30 days ago' /srv/shop/index.html
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=shop.example.org -addext subjectAltName=DNS:shop.example.org,DNS:www.shop.example.org \
  -keyout /etc/ssl/shop/privkey.pem -out /etc/ssl/shop/fullchain.pem 2>/dev/null
chmod 710 /etc/ssl/shop
chmod 640 /etc/ssl/shop/privkey.pem
cat >/etc/nginx/sites-available/shop <<'SITE'
server {
    listen 443 ssl;
    server_name shop.example.org;
    ssl_certificate /etc/ssl/shop/fullchain.pem;
    ssl_certificate_key /etc/ssl/shop/privkey.pem;
    root /srv/shop;
    auth_basic_user_file /etc/shop-htpasswd;  # who may see /admin
    location /app { proxy_pass http://app.internal.example:9000; proxy_set_header X-Token "s3cret-in-a-config"; }
}
SITE
echo 'alice:{PLAIN}s3cret-of-alice' >/etc/shop-htpasswd
chmod 640 /etc/shop-htpasswd
chgrp www-data /etc/shop-htpasswd
echo 192.0.2.77 app.internal.example >>/etc/hosts
ln -sf ../sites-available/shop /etc/nginx/sites-enabled/shop
printf '[Service]\nLimitNOFILE=65536\nEnvironmentFile=/etc/default/shop\nEnvironment=INLINE=s3cret-in-the-unit\n' >/etc/systemd/system/nginx.service.d/limits.conf
printf 'SHOP_PASSWORD=s3cret-in-a-file\nSHOP_CONFIG=/etc/shop.conf\n' >/etc/default/shop
echo 'mode = live' >/etc/shop.conf
printf '#!/bin/sh\nexec /usr/bin/touch /srv/shop/cache/warm\n' >/usr/local/sbin/warm-shop
chmod 755 /usr/local/sbin/warm-shop
printf '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n' >/etc/systemd/system/warm-shop.timer
printf '[Service]\nType=oneshot\nUser=www-data\nExecStart=/usr/local/sbin/warm-shop\n' >/etc/systemd/system/warm-shop.service
systemctl daemon-reload
systemctl enable --now --quiet warm-shop.timer
systemctl restart nginx.service
